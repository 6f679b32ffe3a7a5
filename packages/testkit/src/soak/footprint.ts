// What a process holds: heap after garbage collection, descriptors, active resources. And whether a row of such figures grows.
import { readdirSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a process holds. */
export interface Footprint {
  /** Heap and buffers outside of it, in bytes, after garbage collection. */
  readonly heapBytes: number;
  /** Open descriptors; 0 where the system does not tell. */
  readonly fds: number;
  /** Active resources of the event loop, by kind, without timers. */
  readonly resources: Readonly<Record<string, number>>;
}

let collect: (() => void) | undefined;

/** Collects garbage and measures what is left. */
export async function footprint(): Promise<Footprint> {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  for (let i = 0; i < 4; i++) {
    await turn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) {
    // Immediates and timers are this measurement's own and the watch's over the loop.
    if (name !== "Timeout" && name !== "Immediate") resources[name] = (resources[name] ?? 0) + 1;
  }
  return { heapBytes: heapUsed + external, fds: descriptors(), resources };
}

function descriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}

/** By how much the values grow from the first to the last, by the straight line that fits them best. */
export function growth(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) return 0;
  const middle = (n - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  let up = 0;
  let across = 0;
  for (const [i, value] of values.entries()) {
    up += (i - middle) * (value - mean);
    across += (i - middle) ** 2;
  }
  return (up / across) * (n - 1);
}

/** What one of two footprints has and the other has not, in words; empty when they are the same. */
export function difference(before: Footprint, after: Footprint): string[] {
  const told: string[] = [];
  if (after.fds > before.fds) told.push(`${after.fds - before.fds} descriptors more than before`);
  for (const [name, count] of Object.entries(after.resources)) {
    const more = count - (before.resources[name] ?? 0);
    if (more > 0) told.push(`${more} ${name} more than before`);
  }
  return told;
}
