// The CPU time that a process has used, as the kernel's scheduler counts it. Linux only; elsewhere there is none.
import { readdirSync, readFileSync } from "node:fs";

/**
 * The CPU time of a process with all its threads, in microseconds.
 *
 * @returns NaN where the system does not tell.
 */
export function cpuMicros(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let nanos = 0;
  try {
    for (const task of readdirSync(tasks)) nanos += taskNanos(`${tasks}/${task}/schedstat`);
  } catch {
    return Number.NaN;
  }
  return nanos / 1000;
}

function taskNanos(path: string): number {
  try {
    return Number(readFileSync(path, "latin1").split(" ")[0]);
  } catch (error) {
    // The thread ended since its folder was listed.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return 0;
    throw error;
  }
}
