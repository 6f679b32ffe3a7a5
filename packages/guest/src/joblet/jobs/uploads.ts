// Files that come with a request: checked, and written into a folder that nothing else has touched yet.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { FileUpload } from "@guestwire/joblet";
import { invalid, quoted } from "../../errors.js";
import { mostUploads } from "../limits.js";

// Longer names no file system of Linux has.
const longestName = 255;
const longestPath = 4000;

/**
 * Checks uploads, so that none leads out of its folder or onto another.
 *
 * @param field The request's field, for errors.
 * @param reserved First parts of paths that are taken, as "volumes". Default none.
 * @throws {RpcError} Code.InvalidArgument naming the upload.
 */
export function checkUploads(field: string, uploads: readonly FileUpload[], reserved: readonly string[] = []): void {
  if (uploads.length > mostUploads)
    throw invalid(field, `has ${uploads.length} entries; at most ${mostUploads} are taken`);
  const kinds = new Map<string, "file" | "directory">();
  for (const [index, upload] of uploads.entries()) {
    const here = `${field}[${index}].path`;
    const parts = pathParts(here, upload.path);
    if (reserved.includes(parts[0] as string)) throw invalid(here, `${quoted(upload.path)} lies where volumes are`);
    if (upload.isDirectory && upload.content.length > 0) {
      throw invalid(`${field}[${index}].content`, "must be empty for a directory");
    }
    const path = parts.join("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join("/");
      if (kinds.get(parent) === "file") throw invalid(here, `${quoted(upload.path)} lies below a file`);
      kinds.set(parent, "directory");
    }
    const kind = upload.isDirectory ? "directory" : "file";
    const before = kinds.get(path);
    // A directory may come after what lies in it.
    if (before !== undefined && (before === "file" || kind === "file")) {
      throw invalid(here, `${quoted(upload.path)} comes twice`);
    }
    kinds.set(path, kind);
  }
}

/**
 * Writes uploads that {@link checkUploads} let pass.
 *
 * @param folder Fresh: as no links are in it, no path can lead out of it.
 * @throws the system's error.
 */
export async function writeUploads(folder: string, uploads: readonly FileUpload[]): Promise<void> {
  const folders: { path: string; mode: number }[] = [];
  for (const upload of uploads) {
    const path = join(folder, ...pathParts("path", upload.path));
    if (upload.isDirectory) {
      await mkdir(path, { recursive: true, mode: 0o755 });
      folders.push({ path, mode: permissions(upload.mode, 0o755) });
    } else {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeFile(path, upload.content, { flag: "wx" });
      // The mode of a new file is cut by the guest's own mask.
      await chmod(path, permissions(upload.mode, 0o644));
    }
  }
  // The deepest first, and after everything is in: a directory may forbid what is needed to fill it.
  for (const { path, mode } of folders.toSorted((a, b) => b.path.length - a.path.length)) await chmod(path, mode);
}

/** Only permissions count: a job's file makes nobody another user, and types in the mode (Go's) are not modes. */
function permissions(mode: number, fallback: number): number {
  return mode & 0o777 || fallback;
}

function pathParts(field: string, path: string): string[] {
  if (path === "") throw invalid(field, "must not be empty");
  if (path.includes("\0")) throw invalid(field, "contains a NUL");
  if (path.startsWith("/")) throw invalid(field, `${quoted(path)} is not relative to the job's folder`);
  if (path.length > longestPath) throw invalid(field, `${quoted(path)} is too long`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalid(field, `${quoted(path)} contains ".."`);
  if (parts.length === 0) throw invalid(field, `${quoted(path)} names no file`);
  if (parts.some((part) => Buffer.byteLength(part) > longestName)) throw invalid(field, `${quoted(path)} is too long`);
  return parts;
}
