// The memory of any process, as the kernel counts it. Linux only; elsewhere nothing is known.
import { readFileSync } from "node:fs";

/** Resident memory of a process in bytes: now, and the most that it ever was. NaN where the system does not tell. */
export interface Resident {
  readonly now: number;
  readonly peak: number;
}

/** Looks at a process. */
export function residentOf(pid: number): Resident {
  let status = "";
  try {
    status = readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    // Not Linux, or the process is gone.
  }
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN) * 1024;
  return { now: bytes("VmRSS"), peak: bytes("VmHWM") };
}
