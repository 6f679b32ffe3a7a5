// Folders of sandboxes and of snapshots: a record and a root file system, made as a whole or not at all. Knows no process.
import { mkdir, mkdtemp, rename } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../files/remove-tree.js";
import { writeWhole } from "../state/state-folder.js";

/** Where the parts are. */
export interface SandboxPaths {
  readonly folder: string;
  readonly record: string;
  /** What counts as "/". */
  readonly rootfs: string;
}

/** The paths of the parts of the folder `name` in `parent`. */
export function sandboxPaths(parent: string, name: string): SandboxPaths {
  const folder = join(parent, name);
  return { folder, record: join(folder, "record.json"), rootfs: join(folder, "rootfs") };
}

/**
 * Makes a folder.
 *
 * @param scratch Where it is made, on the same file system.
 * @param fill Puts files into the root file system.
 * @returns What is kept, as `record` gives it at the end.
 * @throws the system's error, or what `fill` throws.
 */
export async function makeSandboxFolder<T>(
  paths: SandboxPaths,
  scratch: string,
  fill: (rootfs: string) => Promise<void>,
  record: () => T,
): Promise<T> {
  const drafts = await mkdtemp(join(scratch, "sandbox-"));
  const draft = sandboxPaths(drafts, "draft");
  try {
    await mkdir(draft.folder, { mode: 0o700 });
    await mkdir(draft.rootfs, { mode: 0o750 });
    await fill(draft.rootfs);
    const made = record();
    await writeSandboxRecord(draft, made);
    await rename(draft.folder, paths.folder);
    return made;
  } finally {
    // Also a copy that was given up; what cannot be removed is left to the next guest.
    await removeTree(drafts).catch(() => {});
  }
}

/** Writes a record anew. */
export async function writeSandboxRecord(paths: SandboxPaths, record: unknown): Promise<void> {
  await writeWhole(paths.record, `${JSON.stringify(record, undefined, 2)}\n`);
}
