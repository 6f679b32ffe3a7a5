// How much of the disk a tree takes, with or without what it shares with another one. Reads only.
import type { BigIntStats } from "node:fs";
import { lstat, opendir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** What a tree occupies. */
export interface Usage {
  /** Bytes on disk. */
  readonly bytes: number;
  /** Files, directories, links and devices. */
  readonly inodes: number;
}

/**
 * Measures a tree. A file with several names counts once.
 *
 * @param parent A tree of which what is the same here does not count: same kind, mode, owner, size and time.
 */
export async function measure(root: string, parent: string | undefined): Promise<Usage> {
  const seen = new Set<bigint>();
  let blocks = 0n;
  const visit = async (path: string, below: string | undefined): Promise<void> => {
    const stats = await lstat(path, { bigint: true });
    const counterpart = below === undefined ? undefined : await lstat(below, { bigint: true }).catch(() => undefined);
    const same = counterpart !== undefined && (await isSame(path, stats, below as string, counterpart));
    if (!same && !seen.has(stats.ino)) {
      seen.add(stats.ino);
      blocks += stats.blocks;
    }
    if (!stats.isDirectory()) return;
    for await (const entry of await opendir(path)) {
      const inner = counterpart?.isDirectory() ? join(below as string, entry.name) : undefined;
      await visit(join(path, entry.name), inner);
    }
  };
  await visit(root, parent);
  return { bytes: Number(blocks) * 512, inodes: seen.size };
}

async function isSame(path: string, a: BigIntStats, below: string, b: BigIntStats): Promise<boolean> {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.mtimeNs !== b.mtimeNs) return false;
  // A directory's size says how it came about, not what is in it.
  if (a.isDirectory()) return true;
  if (a.size !== b.size) return false;
  return !a.isSymbolicLink() || (await readlink(path)) === (await readlink(below));
}
