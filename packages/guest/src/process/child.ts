// What every supervised child has in common, on pipes or on a terminal: its start, its exit, signals to its group.
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

/** How a process ended. */
export interface ExitStatus {
  /** 0 to 255; 128 + signal number when a signal ended it. */
  readonly code: number;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** Resolves when a child runs; rejects with the system's error when it cannot. */
export function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => {
      child.removeListener("error", reject);
      child.on("error", () => {});
      resolve();
    });
    child.once("error", reject);
  });
}

/** An exit as Node tells of it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null, at: number): ExitStatus {
  return { code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), at };
}

/**
 * Signals the group that a child leads.
 *
 * @param pid 0 for none.
 * @param signal Number of the signal; 0 only checks.
 * @returns Whether there was anything to signal.
 */
export function signalGroup(pid: number, signal: number): boolean {
  if (pid === 0) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
