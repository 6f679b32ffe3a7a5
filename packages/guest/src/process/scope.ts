// Scopes: all processes that came from one container or machine, however far they moved away from where they began.
// Membership is a variable in the environment, which descendants inherit; looked up in /proc.
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isSystemError } from "../errors.js";
import { freezeRounds, killRounds, vanishedRounds } from "../limits.js";

/** The variable that names a process's scope. */
export const scopeVariable = "GUESTWIRE_SCOPE" as const;

/**
 * Names a new scope. Unique, as an id may be used again while old processes are still dying.
 *
 * @param token The state folder's.
 * @param kind As "task".
 */
export function newScope(token: string, kind: string, id: string): string {
  return `${token}:${kind}/${id}/${randomUUID().slice(0, 8)}`;
}

/**
 * Ids of the processes of a scope.
 *
 * @param scope The whole name, or its beginning up to a ":" or "/", for all scopes below.
 * @param leaders Ids of processes that lead sessions of the scope: who is in one of these belongs to it also with an
 * environment of its own. They must not have ended for longer than a moment, as ids are used again. Default none.
 */
export function processesOf(scope: string, leaders: readonly number[] = []): number[] {
  return membersIn(takeCensus(), scope, leaders);
}

/** Ids of all processes that can be looked at, by the whole names of their scopes; `undefined` where /proc cannot be read now. */
export function scopesInProc(): Map<string, number[]> | undefined {
  const found = new Map<string, number[]>();
  const mark = new RegExp(`(?:^|\\0)${scopeVariable}=([^\\0]*)`);
  const entries = processes();
  for (const pid of entries ?? []) {
    let scope: string | undefined;
    try {
      scope = mark.exec(readFileSync(`/proc/${pid}/environ`, "latin1"))?.[1];
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
    if (scope === undefined) continue;
    const pids = found.get(scope) ?? [];
    pids.push(pid);
    found.set(scope, pids);
  }
  return entries && found;
}

/** Signals all processes of a scope, leaders last. @param leaders As of {@link processesOf}. @returns How many there were. */
export function signalScope(scope: string, signal: number, leaders: readonly number[] = []): number {
  const pids = processesOf(scope, leaders);
  const others = pids.filter((pid) => !leaders.includes(pid));
  let count = 0;
  for (const pid of [...others, ...pids.filter((pid) => leaders.includes(pid))]) if (send(pid, signal)) count++;
  return count;
}

/**
 * Stops all processes of a scope: again and again until none is new, as some may be forking. Waits until they stand still.
 * A system call comes to its end before, but one that waits for a child which is stopped itself does not; it is not waited
 * for any longer than {@link freezeRounds} say.
 */
export async function freezeScope(scope: string, leaders: readonly number[] = []): Promise<void> {
  const stopped = new Set<number>();
  for (let round = 0; round < killRounds; round++) {
    const census = takeCensus();
    const fresh = membersIn(census, scope, leaders).filter((pid) => !stopped.has(pid));
    for (const pid of fresh) {
      stopped.add(pid);
      send(pid, 19);
    }
    if (fresh.length === 0 && !census.unclear) break;
  }
  for (let round = 0; round < freezeRounds && [...stopped].some(moves); round++) await sleep(Math.min(2 ** round, 50));
}

/**
 * Kills all processes of a scope and waits until there is none.
 *
 * @param leaders As of {@link processesOf}.
 * @returns How many are left, which should be none.
 */
export async function killScope(scope: string, leaders: readonly number[] = []): Promise<number> {
  // A process that is dying has no environment any more, and still is there for a moment.
  const dying = new Set<number>();
  let vanished = 0;
  for (let round = 0; round < killRounds; round++) {
    const census = await sharedCensus();
    const pids = membersIn(census, scope, leaders);
    for (const pid of pids) {
      send(pid, 9);
      dying.add(pid);
    }
    for (const pid of dying) if (!isAlive(pid)) dying.delete(pid);
    // Others of this host end all the time: one more look finds what a process left that ended during the last one.
    vanished = census.vanished && pids.length === 0 ? vanished + 1 : 0;
    const certain = !census.unclear && (vanished === 0 || vanished > vanishedRounds);
    if (pids.length === 0 && dying.size === 0 && certain) return 0;
    await sleep(Math.min(2 ** round, 50));
  }
  return dying.size;
}

/** All processes of the host at one time, as far as they can be looked at. */
interface Census {
  readonly processes: readonly { readonly pid: number; readonly environment: string; readonly session: number }[];
  /** Somebody could not be judged: who becomes another program has no environment for a moment. */
  readonly unclear: boolean;
  /** Somebody ended meanwhile, and may have left children that came too late to be seen. */
  readonly vanished: boolean;
}

let nextCensus: Promise<Census> | undefined;

/** A census that is taken after the call: one for all who ask in the same turn, as many may have to kill at once. */
function sharedCensus(): Promise<Census> {
  nextCensus ??= new Promise((resolve) => {
    setImmediate(() => {
      nextCensus = undefined;
      resolve(takeCensus());
    });
  });
  return nextCensus;
}

function takeCensus(): Census {
  const found: { pid: number; environment: string; session: number }[] = [];
  const entries = processes();
  let [unclear, vanished] = [entries === undefined, false];
  for (const pid of entries ?? []) {
    // This process may be part of a scope itself, as inside a machine; it never means itself.
    if (pid === process.pid) continue;
    try {
      let environment = readEnvironment(pid);
      const { session, ended, hasMemory } = readStat(pid);
      if (ended) continue;
      // Otherwise the kernel's own, or one that was given no environment: that one has arguments.
      if (environment === "" && hasMemory) {
        if (readFileSync(`/proc/${pid}/cmdline`, "latin1") === "") unclear = true;
        // It may have become complete between the two.
        else environment = readEnvironment(pid);
      }
      found.push({ pid, environment: `\0${environment ?? ""}`, session });
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ESRCH")) vanished = true;
      else unclear = true;
    }
  }
  return { processes: found, unclear, vanished };
}

function membersIn({ processes }: Census, scope: string, leaders: readonly number[]): number[] {
  const marks = [`${scopeVariable}=${scope}`].flatMap((mark) => [`\0${mark}\0`, `\0${mark}/`, `\0${mark}:`]);
  const members = processes.filter(
    ({ environment, session }) => leaders.includes(session) || marks.some((mark) => environment.includes(mark)),
  );
  return members.map(({ pid }) => pid);
}

/** Ids of all processes; `undefined` where no descriptor is left to look. */
function processes(): number[] | undefined {
  try {
    return readdirSync("/proc").flatMap((entry) => (/^[0-9]+$/.test(entry) ? Number(entry) : []));
  } catch {
    return undefined;
  }
}

/** @returns `undefined` for what belongs to somebody else. */
function readEnvironment(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch (error) {
    if (isSystemError(error, "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

function readStat(pid: number): { session: number; ended: boolean; stopped: boolean; hasMemory: boolean } {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is a name in parentheses that may hold anything; what follows are the fields from the third on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): string => fields[number - 3] ?? "";
  const state = field(3);
  const [ended, stopped] = [/^[ZX]/.test(state), /^[Tt]/.test(state)];
  return { session: Number(field(6)), ended, stopped, hasMemory: field(23) !== "0" };
}

function isAlive(pid: number): boolean {
  try {
    return !readStat(pid).ended;
  } catch (error) {
    return !isSystemError(error, "ENOENT", "ESRCH");
  }
}

function moves(pid: number): boolean {
  try {
    const { ended, stopped } = readStat(pid);
    return !ended && !stopped;
  } catch (error) {
    return !isSystemError(error, "ENOENT", "ESRCH");
  }
}

function send(pid: number, signal: number): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // It ended between the look and the signal.
    return false;
  }
}
