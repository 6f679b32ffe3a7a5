// Bundles on disk: one folder each with files and an empty rootfs, there as a whole or not at all. Knows no messages.
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure, invalid, isSystemError, quoted, textOf } from "../errors.js";

/** A place for bundles. */
export interface BundleStore {
  /**
   * Makes a bundle: folder 0750, an empty `rootfs` in it 0750, the files 0600.
   *
   * @param files Plain names and contents.
   * @returns The absolute path of the bundle.
   * @throws {RpcError} Code.InvalidArgument for a bad id or file name; what `taken` makes when the bundle exists;
   * Code.Unknown for any other failure, with nothing left behind.
   */
  create(id: string, files: ReadonlyMap<string, Uint8Array>, taken: (path: string) => Error): Promise<string>;
}

/**
 * Opens a store.
 *
 * @param folder Where the bundles are.
 * @param scratch Where they are made, on the same file system.
 */
export function createBundleStore(folder: string, scratch: string): BundleStore {
  return {
    async create(id, files, taken) {
      checkId(id);
      for (const name of files.keys()) checkFileName(name);
      const path = join(folder, id);
      const draft = await mkdtemp(join(scratch, "bundle-"));
      try {
        await fill(draft, files);
        // Fails where the bundle exists: a bundle is never empty.
        await rename(draft, path);
        return path;
      } catch (error) {
        await rm(draft, { recursive: true, force: true });
        if (isSystemError(error, "EEXIST", "ENOTEMPTY", "ENOTDIR")) throw taken(path);
        throw failure(Code.Unknown, `bundle ${quoted(id)}: ${textOf(error)}`, error);
      }
    },
  };
}

async function fill(draft: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(join(draft, "rootfs"));
  for (const [name, content] of files) await writeFile(join(draft, name), content, { mode: 0o600, flag: "wx" });
  // Whatever the process's umask says.
  await chmod(join(draft, "rootfs"), 0o750);
  await chmod(draft, 0o750);
}

function checkId(id: string): void {
  if (id === "") throw invalid("id", "must not be empty");
  if (id === "." || id.includes("..") || id.includes("/")) throw invalid("id", `${quoted(id)} contains ".." or "/"`);
  checkName("id", id);
}

function checkFileName(name: string): void {
  const field = `files[${quoted(name)}]`;
  if (name === "") throw invalid(field, "the file name must not be empty");
  if (name === "." || name === ".." || /[/\\]/.test(name)) throw invalid(field, "the name must be a plain file name");
  if (name === "rootfs") throw invalid(field, "the name is taken by the folder of the root file system");
  checkName(field, name);
}

function checkName(field: string, name: string): void {
  if (name.includes("\0")) throw invalid(field, "contains a NUL");
  if (Buffer.byteLength(name) > 255) throw invalid(field, "is longer than 255 bytes");
}
