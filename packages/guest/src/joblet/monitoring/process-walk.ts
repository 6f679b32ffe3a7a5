// All processes of the machine, from /proc, in short slices: a machine may have many thousands. Walks that are asked for at
// about the same time are one walk.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { processesFreshMs, walkSliceMs } from "../limits.js";
import type { Roots } from "./roots.js";

/** A process. */
export interface ProcessFacts {
  readonly pid: number;
  readonly ppid: number;
  /** As the kernel keeps it, at most 15 bytes. */
  readonly name: string;
  /** The kernel's letter. */
  readonly state: string;
  readonly threads: number;
  /** Processor time it has used, in ticks. */
  readonly ticks: number;
  /** When it started, in ticks since the start of the machine. */
  readonly startedAt: number;
  /** Memory, in pages. */
  readonly pages: number;
}

/** What a walk has found. */
export interface ProcessSnapshot {
  /** When it ended, by the clock of the walks, in milliseconds. */
  readonly at: number;
  readonly processes: readonly ProcessFacts[];
}

/** Walks through the processes of one machine. */
export class ProcessWalk {
  readonly #roots: Roots;
  readonly #now: () => number;
  #current: Promise<ProcessSnapshot> | undefined;
  #last: ProcessSnapshot | undefined;

  /** @param now A clock that is never set, in milliseconds. */
  constructor(roots: Roots, now: () => number) {
    this.#roots = roots;
    this.#now = now;
  }

  /** What a walk finds; that of one that is under way or was just over counts. */
  snapshot(): Promise<ProcessSnapshot> {
    if (this.#last !== undefined && this.#now() - this.#last.at < processesFreshMs) return Promise.resolve(this.#last);
    this.#current ??= this.#walk().finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }

  async #walk(): Promise<ProcessSnapshot> {
    const { proc } = this.#roots;
    const processes: ProcessFacts[] = [];
    let sliceEnds = performance.now() + walkSliceMs;
    for (const entry of idsIn(proc)) {
      const found = readProcess(proc, entry);
      if (found !== undefined) processes.push(found);
      if (performance.now() < sliceEnds) continue;
      await turn();
      sliceEnds = performance.now() + walkSliceMs;
    }
    this.#last = { at: this.#now(), processes };
    return this.#last;
  }
}

function idsIn(proc: string): string[] {
  try {
    return readdirSync(proc).filter((entry) => /^\d+$/.test(entry));
  } catch {
    return [];
  }
}

function readProcess(proc: string, entry: string): ProcessFacts | undefined {
  let stat: string;
  try {
    // Only this file: others can make whoever reads them wait for a process that hangs.
    stat = readFileSync(join(proc, entry, "stat"), "utf8");
  } catch {
    // It ended meanwhile.
    return undefined;
  }
  // The second field is a name in parentheses that may hold anything; what follows are the fields from the third on.
  const nameEnds = stat.lastIndexOf(")");
  const fields = stat.slice(nameEnds + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return {
    pid: Number(entry),
    ppid: field(4),
    name: stat.slice(stat.indexOf("(") + 1, nameEnds),
    state: fields[0] ?? "",
    threads: field(20),
    ticks: field(14) + field(15),
    startedAt: field(22),
    pages: field(24),
  };
}
