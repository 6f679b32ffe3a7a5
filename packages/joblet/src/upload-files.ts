// Files of this host as the uploads of a request: read, counted, refused before they are sent when they are too many.
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import { jobletMessageBytes } from "./config/node.js";
import type { FileUploadSchema } from "./gen/joblet/job_pb.js";

/** How files are read. */
export interface UploadOptions {
  /** What the paths in the job's workspace count from; files outside of it are refused. Default the working directory. */
  readonly root?: string;
  /**
   * How many bytes all uploads may have together, as they are sent. Default 128 MiB, Joblet's limit for a whole request,
   * less 64 KiB for the rest of it.
   */
  readonly limitBytes?: number;
}

/** A file or directory as RunJob takes it. */
export type Upload = MessageInitShape<typeof FileUploadSchema> & {
  readonly path: string;
  readonly mode: number;
  readonly content?: Uint8Array;
};

const restOfRequest = 64 * 1024;
// What a message, its path's length, its mode and its flag take on the wire at most.
const perUpload = 32;

/**
 * Reads files, and directories with all that is in them, for `RunJobRequest.uploads`. Links to files are read as files.
 *
 * @param paths Absolute, or relative to `root`.
 * @returns Sorted by path, a directory before what is in it; modes are those of the files.
 * @throws {RpcError} Code.NotFound for a path that is not there; Code.InvalidArgument for one outside of `root`, for a link
 * to a directory, and for what is neither file nor directory; Code.ResourceExhausted when all together are too large for
 * one request.
 *
 * @example
 * await jobs.runJob({ command: "python3", args: ["app/main.py"], uploads: await uploadFiles(["app"]) });
 */
export async function uploadFiles(paths: Iterable<string>, options: UploadOptions = {}): Promise<Upload[]> {
  const root = resolve(options.root ?? ".");
  const limit = options.limitBytes ?? jobletMessageBytes - restOfRequest;
  const found = new Map<string, Found>();
  for (const path of paths) await find(root, resolve(root, path), found);
  // By sizes first: what does not fit need not be read.
  let total = 0;
  const count = (path: string, size: number): void => {
    total += size + Buffer.byteLength(path) + perUpload;
    if (total <= limit) return;
    const hint = "put large files into a volume";
    throw new RpcError(Code.ResourceExhausted, `uploads: with ${path} they exceed ${limit} bytes; ${hint}`);
  };
  for (const { path, size } of found.values()) count(path, size);
  total = 0;
  const uploads: Upload[] = [];
  for (const path of [...found.keys()].sort()) {
    const { file, mode, isDirectory } = found.get(path) as Found;
    const content = isDirectory ? undefined : await readFile(file);
    // It may have grown.
    count(path, content?.length ?? 0);
    uploads.push(content === undefined ? { path, mode, isDirectory } : { path, mode, content });
  }
  return uploads;
}

interface Found {
  readonly file: string;
  /** As in the upload. */
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly isDirectory: boolean;
}

async function find(root: string, file: string, found: Map<string, Found>, isLink = false): Promise<void> {
  const path = relative(root, file).split(sep).join("/");
  if (path === ".." || path.startsWith("../")) throw refused(file, `lies outside of ${root}`);
  const info = await stat(file).catch((error: unknown) => {
    throw RpcError.from(error);
  });
  const isDirectory = info.isDirectory();
  if (!isDirectory && !info.isFile()) throw refused(file, "is neither a file nor a directory");
  if (isDirectory && isLink) throw refused(file, "is a link to a directory");
  const size = isDirectory ? 0 : info.size;
  // The root itself is there already.
  if (path !== "") found.set(path, { file, path, mode: info.mode & 0o777, size, isDirectory });
  if (!isDirectory) return;
  for (const entry of await readdir(file, { withFileTypes: true })) {
    await find(root, join(file, entry.name), found, entry.isSymbolicLink());
  }
}

function refused(file: string, why: string): RpcError {
  return new RpcError(Code.InvalidArgument, `uploads: ${file} ${why}`);
}
