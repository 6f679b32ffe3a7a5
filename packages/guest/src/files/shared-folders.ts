// Folders of the host that show in a machine or sandbox: checked as they are asked for, and put in as symbolic links, as
// nobody mounts without root.
import { lstat, mkdir, stat, symlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { invalid, isSystemError, quoted, unsupported } from "../errors.js";
import { removeTree } from "./remove-tree.js";

/** One folder: where it is, and where it shows. Absolute paths. JSON. */
export interface SharedFolder {
  readonly host: string;
  readonly inside: string;
}

/**
 * Checks folders that are asked for.
 *
 * @param names What the request calls the two paths.
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong, in `mounts[…]`; Code.Unimplemented for a
 * read-only one.
 */
export async function checkSharedFolders(
  wanted: readonly (SharedFolder & { readonly readonly: boolean })[],
  names: Readonly<Record<keyof SharedFolder, string>>,
): Promise<SharedFolder[]> {
  const checked: SharedFolder[] = [];
  for (const [index, folder] of wanted.entries()) {
    const field = `mounts[${index}]`;
    for (const part of ["host", "inside"] as const) {
      if (!isAbsolute(folder[part]) || folder[part].includes("\0")) {
        throw invalid(`${field}.${names[part]}`, "must be an absolute path");
      }
    }
    const inside = normalize(folder.inside).replace(/\/$/, "");
    if (inside === "") throw invalid(`${field}.${names.inside}`, "must not be the root");
    if (checked.some((other) => overlap(other.inside, inside))) {
      throw invalid(`${field}.${names.inside}`, `${quoted(folder.inside)} lies in or above another mount`);
    }
    if (folder.readonly) throw unsupported(`${field}.readonly: a guest that is not root cannot forbid writing`);
    const isFolder = await stat(folder.host).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isFolder) throw invalid(`${field}.${names.host}`, `${quoted(folder.host)} is no directory`);
    checked.push({ host: folder.host, inside });
  }
  return checked;
}

/**
 * Puts the folders into a root file system that nobody uses yet, in place of what is there.
 *
 * @throws the system's error; an Error where a link leads to a mount's place, as that may lie outside.
 */
export async function placeSharedFolders(rootfs: string, folders: readonly SharedFolder[]): Promise<void> {
  for (const { host, inside } of folders) {
    let parent = rootfs;
    for (const part of dirname(inside).split("/").filter(Boolean)) {
      parent = join(parent, part);
      try {
        await mkdir(parent);
      } catch (error) {
        if (!isSystemError(error, "EEXIST")) throw error;
        if (!(await lstat(parent)).isDirectory()) throw new Error(`${inside}: ${part} is no directory there`);
      }
    }
    const link = join(parent, basename(inside));
    await removeTree(link);
    await symlink(host, link);
  }
}

function overlap(a: string, b: string): boolean {
  const within = (inner: string, outer: string): boolean => `${inner}/`.startsWith(`${outer}/`);
  return within(a, b) || within(b, a);
}
