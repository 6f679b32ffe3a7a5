// Removes folders that a job may have made hard to remove.
import { chmod, lstat, mkdtemp, opendir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "../errors.js";

/** Removes a folder and all that is in it, also where directories forbid it. @throws the system's error. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isSystemError(error, "EACCES", "EPERM", "ENOTEMPTY")) throw error;
    await openAll(path);
    await rm(path, { recursive: true, force: true });
  }
}

/**
 * Takes a folder out of its place at once, whatever is in it, and removes it then. What cannot be removed is left to the next
 * guest, which empties the scratch folder.
 *
 * @param scratch On the same file system.
 * @throws the system's error where it cannot be taken away; it is there as it was then.
 */
export async function buryTree(path: string, scratch: string): Promise<void> {
  const grave = await mkdtemp(join(scratch, "gone-"));
  await rename(path, join(grave, "tree"));
  await removeTree(grave).catch(() => {});
}

async function openAll(path: string): Promise<void> {
  // Changing a link's mode would change what it leads to.
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for await (const entry of await opendir(path)) if (entry.isDirectory()) await openAll(join(path, entry.name));
}
