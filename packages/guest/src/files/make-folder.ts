// Makes a folder and those above it. Removes and replaces nothing.
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError } from "../errors.js";

/**
 * Makes a folder and those above it, where they are missing. Not with mkdir's own `recursive`, which never ends where a file
 * system, as `/proc`, makes no folders but does not say so.
 *
 * @param mode Of those that are made, less the mask.
 * @throws the system's error; an Error where something else stands in the way.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) return;
  if (info !== undefined) throw new Error("it is not a folder");
  await makeFolder(dirname(path), mode);
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  }
}
