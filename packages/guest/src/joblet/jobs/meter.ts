// What a job's processes use, as /proc tells it. What ended processes used still counts, as far as it was seen.
import { readFileSync } from "node:fs";

// What Linux shows to programs as a clock tick, on every architecture that Node runs on.
const ticksPerSecond = 100;

interface Used {
  /** Clock ticks. */
  cpu: number;
  readBytes: number;
  writtenBytes: number;
}

/** A measurement of a job. */
export interface Measurement {
  /** Of one core, since the last measurement. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  /** From disks, since the job began; as `diskWriteBytes`. */
  readonly diskReadBytes: number;
  readonly diskWriteBytes: number;
}

/** Adds up the use of one job. */
export class Meter {
  readonly #live = new Map<string, Used>();
  readonly #ended: Used = { cpu: 0, readBytes: 0, writtenBytes: 0 };
  #memory = 0;
  #lastCpu = 0;
  #lastAt = performance.now();

  /**
   * Looks at the processes.
   *
   * @returns Memory in use, bytes.
   */
  look(pids: readonly number[]): number {
    const seen = new Set<string>();
    this.#memory = 0;
    for (const pid of pids) {
      const found = readUse(pid);
      if (found === undefined) continue;
      seen.add(found.key);
      this.#live.set(found.key, found.used);
      this.#memory += found.memory;
    }
    for (const [key, used] of this.#live) {
      if (seen.has(key)) continue;
      this.#live.delete(key);
      add(this.#ended, used);
    }
    return this.#memory;
  }

  /** What was seen, with the use of CPU since the last call. */
  measure(): Measurement {
    const total = { ...this.#ended };
    for (const used of this.#live.values()) add(total, used);
    const now = performance.now();
    const seconds = (now - this.#lastAt) / 1000;
    const cpuSeconds = (total.cpu - this.#lastCpu) / ticksPerSecond;
    this.#lastAt = now;
    this.#lastCpu = total.cpu;
    return {
      cpuPercent: seconds > 0 ? Math.round((cpuSeconds / seconds) * 10_000) / 100 : 0,
      memoryBytes: this.#memory,
      diskReadBytes: total.readBytes,
      diskWriteBytes: total.writtenBytes,
    };
  }
}

function add(sum: Used, used: Used): void {
  sum.cpu += used.cpu;
  sum.readBytes += used.readBytes;
  sum.writtenBytes += used.writtenBytes;
}

function readUse(pid: number): { key: string; used: Used; memory: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is a name in parentheses that may hold anything; what follows are the fields from the third on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const field = (number: number): number => Number(fields[number - 3]);
    const used = { cpu: field(14) + field(15), ...readDisks(pid) };
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const memory = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    return { key: `${pid}@${field(22)}`, used, memory };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

function readDisks(pid: number): { readBytes: number; writtenBytes: number } {
  try {
    const io = readFileSync(`/proc/${pid}/io`, "latin1");
    const value = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(io)?.[1] ?? 0);
    return { readBytes: value("read_bytes"), writtenBytes: value("write_bytes") };
  } catch {
    // Kernels without this file, and processes that changed their user.
    return { readBytes: 0, writtenBytes: 0 };
  }
}
