// Where the kernel tells of the machine, and how its small files are read. What cannot be read is empty: containers and
// old kernels leave out files, and one that is missing must not hide the rest.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where the files are. */
export interface Roots {
  /** Default /proc. */
  readonly proc: string;
  /** Default /sys. */
  readonly sys: string;
  /** Default /etc. */
  readonly etc: string;
}

/** Those of a real machine. */
export const realRoots: Roots = { proc: "/proc", sys: "/sys", etc: "/etc" };

/** The text of a file; empty where there is none. */
export async function textAt(root: string, path: string): Promise<string> {
  return readFile(join(root, path), "utf8").catch(() => "");
}

/** A whole number of the kernel's; 0 for anything else. */
export function count(text: string | undefined): bigint {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}

/** A part of a whole in percent, with two decimals, from 0 to 100. */
export function percent(part: number, whole: number): number {
  if (!(whole > 0)) return 0;
  return Math.min(100, Math.max(0, Math.round((part / whole) * 10_000) / 100));
}

/** What a counter grew by per second; 0 where it began anew. */
export function rate(now: bigint, before: bigint | undefined, seconds: number): number {
  if (before === undefined || now < before || !(seconds > 0)) return 0;
  return Math.round((Number(now - before) / seconds) * 100) / 100;
}
