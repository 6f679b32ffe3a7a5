// Scopes: all processes that came from one container or machine, however far they moved away from where they began.
// Membership is a variable in the environment, which descendants inherit; looked up in /proc.
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { killRounds } from "../limits.js";

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
 */
export function processesOf(scope: string): number[] {
  const marks = [`${scopeVariable}=${scope}`].flatMap((mark) => [`${mark}\0`, `${mark}/`, `${mark}:`]);
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    // This process may be part of a scope itself, as inside a machine; it never means itself.
    if (!/^[0-9]+$/.test(entry) || Number(entry) === process.pid) continue;
    let environment: string;
    try {
      environment = `\0${readFileSync(`/proc/${entry}/environ`, "latin1")}`;
    } catch {
      // It ended meanwhile, or belongs to somebody else.
      continue;
    }
    if (marks.some((mark) => environment.includes(`\0${mark}`))) found.push(Number(entry));
  }
  return found;
}

/** Signals all processes of a scope. @returns How many there were. */
export function signalScope(scope: string, signal: number): number {
  let count = 0;
  for (const pid of processesOf(scope)) {
    try {
      process.kill(pid, signal);
      count++;
    } catch {
      // It ended between the look and the signal.
    }
  }
  return count;
}

/** Kills all processes of a scope and waits until there is none. @returns How many are left, which should be none. */
export async function killScope(scope: string): Promise<number> {
  let left = 0;
  for (let round = 0; round < killRounds; round++) {
    left = signalScope(scope, 9);
    if (left === 0) return 0;
    await sleep(Math.min(2 ** round, 50));
  }
  return left;
}
