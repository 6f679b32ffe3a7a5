// Unpacks an image's layer over a tree: first what it removes, then what it brings. Whatever the archive says, nothing outside of
// the tree is touched. Knows neither images nor snapshots.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { Parser, Unpack } from "tar";
import { removeTree } from "../../files/remove-tree.js";

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";

/**
 * Unpacks a layer.
 *
 * Device files need root and are left out; so are the marks of removed files.
 *
 * @param archive A tar file: plain, or compressed with gzip or zstd.
 * @param tree The folder to unpack into.
 * @returns The digest of the archive without its compression, as `sha256:<64 hex digits>`.
 * @throws when the archive is broken, when it names something outside of the tree, and when the signal fires.
 */
export async function unpackLayer(archive: string, tree: string, signal?: AbortSignal): Promise<string> {
  await removeMarked(archive, tree, signal);
  const { sink, failed } = extractor(tree);
  const digest = await read(archive, sink, signal);
  if (failed() !== undefined) throw failed();
  return digest;
}

/** Removes what the layer's marks say, before anything of the layer itself is there. */
async function removeMarked(archive: string, tree: string, signal: AbortSignal | undefined): Promise<void> {
  const marks: string[] = [];
  const parser = new Parser({
    onReadEntry: (entry) => {
      if (basename(entry.path).startsWith(whiteout)) marks.push(entry.path);
      entry.resume();
    },
  });
  await read(archive, parser as unknown as Writable, signal);
  for (const mark of marks) {
    const folder = await folderWithin(tree, dirname(mark));
    if (folder === undefined) continue;
    const name = basename(mark);
    if (name === opaque) for (const entry of await readdir(folder)) await removeTree(join(folder, entry));
    // Other names with two marks are for file systems that work otherwise.
    else if (!name.startsWith(`${whiteout}${whiteout}`) && name.length > whiteout.length) {
      const victim = name.slice(whiteout.length);
      if (victim !== "." && victim !== "..") await removeTree(join(folder, victim));
    }
  }
}

/** A folder of the tree, reached without any symbolic link; `undefined` where there is none. */
async function folderWithin(tree: string, path: string): Promise<string | undefined> {
  let at = tree;
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") return undefined;
    at = join(at, part);
    const stats = await lstat(at).catch(() => undefined);
    if (stats === undefined || !stats.isDirectory()) return undefined;
  }
  return at;
}

function extractor(tree: string): { sink: Writable; failed: () => Error | undefined } {
  let failure: Error | undefined;
  const unpack = new Unpack({
    cwd: tree,
    filter: (path) => !basename(path).startsWith(whiteout),
    // Not `strict`: that would refuse device files, which every base image may have.
    onwarn: (code, message) => {
      if (code !== "TAR_ENTRY_UNSUPPORTED" && code !== "TAR_ENTRY_INFO") failure ??= new Error(`${code}: ${message}`);
    },
  });
  return { sink: unpack as unknown as Writable, failed: () => failure };
}

/** Reads an archive into a sink. @returns The digest of what was read. */
async function read(archive: string, sink: Writable, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  const tee = new Transform({
    transform(chunk, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const source = createReadStream(archive);
  const decompress = await decompressor(archive);
  const options = signal === undefined ? {} : { signal };
  if (decompress === undefined) await pipeline(source, tee, sink, options);
  else await pipeline(source, decompress, tee, sink, options);
  return `sha256:${hash.digest("hex")}`;
}

/** By what the file begins with, as media types are wrong at times. */
async function decompressor(archive: string): Promise<Transform | undefined> {
  const file = await open(archive);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return zlib.createGunzip();
    if (buffer.readUInt32LE() !== 0xfd2fb528) return undefined;
    if (typeof zlib.createZstdDecompress !== "function") throw new Error("zstd needs Node 22.15 or newer");
    return zlib.createZstdDecompress();
  } finally {
    await file.close();
  }
}
