// What a job does, as far as looking at /proc now and then shows it: programs that run, connections that are open. What is
// shorter than the time between two looks is not seen.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { SocketTable } from "./sockets.js";

/** Kinds of events that a guest sees. */
export const watchedKinds: readonly string[] = ["exec", "connect", "accept"];

/** An event: its kind and the fields of the message of that kind. JSON. */
export interface WatchedEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Watches one job. */
export class Watcher {
  #programs = new Map<number, string>();
  #sockets = new Set<string>();

  /**
   * Looks at the job's processes.
   *
   * @param sockets The host's sockets; `undefined` not to look at them.
   * @returns What is new since the last look.
   */
  look(pids: readonly number[], sockets: SocketTable | undefined): WatchedEvent[] {
    const events: WatchedEvent[] = [];
    const programs = new Map<number, string>();
    for (const pid of pids) {
      const program = readProgram(pid);
      if (program === undefined) continue;
      programs.set(pid, program.key);
      // The same process with another program has become that.
      if (this.#programs.get(pid) !== program.key) events.push({ type: "exec", data: { pid, ...program.data } });
    }
    this.#programs = programs;
    if (sockets !== undefined) events.push(...this.#lookAtSockets(pids, sockets));
    return events;
  }

  #lookAtSockets(pids: readonly number[], table: SocketTable): WatchedEvent[] {
    const events: WatchedEvent[] = [];
    const open = new Set<string>();
    for (const pid of pids) {
      for (const inode of socketsOf(pid)) {
        if (open.has(inode)) continue;
        open.add(inode);
        if (this.#sockets.has(inode)) continue;
        const socket = table.find(inode);
        // A socket that is not connected yet may be later.
        if (socket === undefined) open.delete(inode);
        else events.push({ type: socket.type, data: { pid, ...socket.data } });
      }
    }
    this.#sockets = open;
    return events;
  }
}

function readProgram(pid: number): { key: string; data: Record<string, unknown> } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    // A process that ended and was not taken note of.
    if (fields[0] === "Z" || line === "") return undefined;
    const [name, ...args] = line.replace(/\0$/, "").split("\0");
    let binary = name ?? "";
    try {
      binary = readlinkSync(`/proc/${pid}/exe`);
    } catch {
      // Another user's.
    }
    return { key: `${fields[19]} ${binary} ${line}`, data: { ppid: Number(fields[1]), binary, args } };
  } catch {
    return undefined;
  }
}

function socketsOf(pid: number): string[] {
  const found: string[] = [];
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined) found.push(inode);
      } catch {
        // Closed meanwhile.
      }
    }
  } catch {
    // It ended meanwhile.
  }
  return found;
}
