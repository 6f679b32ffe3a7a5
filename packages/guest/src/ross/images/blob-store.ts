// Content by its digest: there as a whole and verified, or not at all. Knows neither images nor layouts.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { missing } from "../../errors.js";
import { hexOf, mismatch } from "./digest.js";

/** A blob that is somewhere else. */
export interface BlobSource {
  /** Path of the file. */
  readonly path: string;
  readonly digest: string;
  /** In bytes, as announced. */
  readonly size: number;
}

/** The blobs of one guest. */
export class BlobStore {
  readonly #folder: string;
  readonly #scratch: string;

  private constructor(folder: string, scratch: string) {
    this.#folder = folder;
    this.#scratch = scratch;
  }

  /**
   * Opens the store.
   *
   * @param root Its folder; made where it is missing.
   * @param scratch An empty folder on the same file system.
   */
  static async open(root: string, scratch: string): Promise<BlobStore> {
    const folder = join(root, "sha256");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new BlobStore(folder, scratch);
  }

  has(digest: string): boolean {
    return existsSync(this.#file(digest, "digest"));
  }

  /** Path of a blob that is there. @throws {RpcError} Code.InvalidArgument for a bad digest; Code.NotFound. */
  pathOf(digest: string, field: string): string {
    const path = this.#file(digest, field);
    if (!existsSync(path)) throw missing("blob", digest);
    return path;
  }

  /** All of a blob. For small ones. @throws {RpcError} as {@link BlobStore.pathOf}. */
  read(digest: string): Promise<Buffer> {
    return readFile(this.pathOf(digest, "digest"));
  }

  /**
   * Takes a copy of a blob.
   *
   * @param progress Told how many bytes were copied, again and again.
   * @throws when size or digest are not as announced, or when the signal fires; nothing is left behind then.
   */
  async take(
    { path, digest, size }: BlobSource,
    progress: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const draft = join(this.#scratch, `blob-${randomUUID()}`);
    const hash = createHash("sha256");
    let copied = 0;
    const watch = new Transform({
      transform(chunk: Buffer, _, done) {
        hash.update(chunk);
        copied += chunk.length;
        progress(copied);
        done(copied > size ? new Error(`the blob ${digest} is larger than the ${size} bytes announced`) : null, chunk);
      },
    });
    try {
      await pipeline(createReadStream(path), watch, createWriteStream(draft, { mode: 0o600, flush: true }), { signal });
      if (copied !== size) throw new Error(`the blob ${digest} has ${copied} bytes; ${size} were announced`);
      const found = `sha256:${hash.digest("hex")}`;
      if (found !== digest) throw mismatch("the blob", found, digest);
      await rename(draft, this.#file(digest, "digest"));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  /** Removes a blob. @returns The bytes that were freed; 0 where there was none. */
  async remove(digest: string): Promise<number> {
    const path = this.#file(digest, "digest");
    const size = await stat(path).then(
      (stats) => stats.size,
      () => 0,
    );
    await rm(path, { force: true });
    return size;
  }

  #file(digest: string, field: string): string {
    return join(this.#folder, hexOf(digest, field));
  }
}
