// What is kept of a stream of bytes: appended to files, bounded, read by any number of readers from its beginning and then
// live. Readers read what was written, from the files: nothing comes twice and nothing is missing where old meets new.
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError, textOf } from "../../errors.js";
import { dropWaitMs, logChunkBytes, unwrittenBytes } from "../limits.js";

/** One file of a log: `NAME.START`, where START is the log's length when the file was begun. */
interface Segment {
  readonly start: number;
  size: number;
}

/** Somebody who reads. */
interface Reader {
  offset: number;
  /** What it was to read next is gone. */
  lost: boolean;
}

/** How a log is read. */
export interface ReadLogOptions {
  /** Ends the reading, without an error. */
  readonly signal: AbortSignal;
  /** After this long without anything new, in milliseconds, an empty chunk comes. Default never. */
  readonly idleMs?: number;
}

const nothing = new Uint8Array();

/**
 * A bounded log in a folder. What is appended in one piece is dropped in one piece.
 *
 * Before the oldest half is dropped, those who are reading it get a few seconds to come to its end; who appends waits that
 * long. A reader that is slower fails with `DataLoss`, and is not waited for again.
 */
export class AppendLog {
  readonly #folder: string;
  readonly #name: string;
  readonly #segmentBytes: number;
  readonly #waitMs: number;
  readonly #readers = new Set<Reader>();
  #moved: () => void = () => {};
  readonly #segments: Segment[];
  readonly #waiting = new Set<() => void>();
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  #total: number;
  #handle: FileHandle | undefined;
  #working: Promise<void> | undefined;
  #over = false;
  #finished = false;
  #error: Error | undefined;
  /** Called when {@link AppendLog.hasRoom} has become true again. */
  onRoom: () => void = () => {};

  private constructor(folder: string, name: string, bytes: number, waitMs: number, segments: Segment[]) {
    this.#waitMs = waitMs;
    this.#folder = folder;
    this.#name = name;
    this.#segmentBytes = Math.max(1, Math.floor(bytes / 2));
    this.#segments = segments;
    const last = segments.at(-1);
    this.#total = last === undefined ? 0 : last.start + last.size;
  }

  /**
   * Opens a log with what is there of it.
   *
   * @param bytes How much is kept at most.
   * @param waitMs How long readers are waited for, in milliseconds. Default 5,000.
   */
  static async open(folder: string, name: string, bytes: number, waitMs: number = dropWaitMs): Promise<AppendLog> {
    const segments: Segment[] = [];
    for (const file of await readdir(folder)) {
      const start = file.startsWith(`${name}.`) ? file.slice(name.length + 1) : "";
      if (!/^[0-9]+$/.test(start)) continue;
      segments.push({ start: Number(start), size: (await stat(join(folder, file))).size });
    }
    segments.sort((a, b) => a.start - b.start);
    return new AppendLog(folder, name, bytes, waitMs, segments);
  }

  /** Whether what is appended now is written soon. Appending works all the same. */
  get hasRoom(): boolean {
    return this.#queued < unwrittenBytes;
  }

  /** Appends; does nothing once the log is over. The bytes must not change any more. */
  append(data: Uint8Array): void {
    if (this.#over || data.length === 0) return;
    this.#queue.push(data);
    this.#queued += data.length;
    this.#working ??= this.#work();
  }

  /** Nothing more comes. Resolves when everything is written; readers then come to the end. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#finish();
  }

  /** As {@link AppendLog.end}, but readers fail with this error after what was written. */
  async fail(error: Error): Promise<void> {
    if (!this.#over) this.#error ??= error;
    await this.end();
  }

  /** Resolves when everything that was appended so far is written. */
  async written(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /**
   * Reads from the oldest that is kept, then live, until the log is over.
   *
   * @throws {RpcError} Code.DataLoss when something was dropped before it was read or could not be written.
   */
  async *read({ signal, idleMs }: ReadLogOptions): AsyncGenerator<Uint8Array> {
    const reader: Reader = { offset: this.#segments[0]?.start ?? this.#total, lost: false };
    this.#readers.add(reader);
    let segment: Segment | undefined;
    let file: FileHandle | undefined;
    try {
      while (!signal.aborted) {
        const { offset } = reader;
        if (segment !== undefined && offset === segment.start + segment.size && this.#segments.at(-1) !== segment) {
          await file?.close();
          segment = file = undefined;
        }
        if (segment === undefined) {
          segment = this.#segments.find(({ start, size }) => offset >= start && offset < start + size);
          if (segment !== undefined) file = await this.#openSegment(segment);
          else if (offset < this.#total) throw this.#dropped(offset);
        }
        const size = segment === undefined ? 0 : Math.min(segment.start + segment.size - offset, logChunkBytes);
        if (segment !== undefined && file !== undefined && size > 0) {
          const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size), 0, size, offset - segment.start);
          if (bytesRead === 0) throw this.#dropped(offset);
          reader.offset += bytesRead;
          this.#moved();
          if (!signal.aborted) yield buffer.subarray(0, bytesRead);
        } else if (offset === this.#total) {
          if (this.#finished) {
            if (this.#error !== undefined) throw this.#error;
            return;
          }
          if (!(await this.#news(signal, idleMs))) yield nothing;
        }
      }
    } finally {
      this.#readers.delete(reader);
      this.#moved();
      await file?.close();
    }
  }

  async #work(): Promise<void> {
    try {
      while (this.#queue.length > 0) await this.#writeSome();
    } catch (error) {
      // The job goes on; what can no longer be kept is missing, and readers are told.
      this.#error ??= failure(Code.DataLoss, `${this.#name} could not be kept: ${textOf(error)}`, error);
      this.#over = true;
      this.#queue.length = 0;
      this.#queued = 0;
      this.onRoom();
    } finally {
      this.#working = undefined;
      if (this.#over) void this.#finish();
    }
  }

  async #writeSome(): Promise<void> {
    const first = this.#queue[0] as Uint8Array;
    let segment = this.#segments.at(-1);
    if (segment === undefined || this.#handle === undefined || segment.size + first.length > this.#segmentBytes) {
      segment = await this.#nextSegment(segment, first.length);
    }
    let count = 0;
    let size = 0;
    for (const data of this.#queue) {
      if (count > 0 && segment.size + size + data.length > this.#segmentBytes) break;
      count++;
      size += data.length;
    }
    await this.#handle?.appendFile(Buffer.concat(this.#queue.slice(0, count), size));
    this.#queue.splice(0, count);
    segment.size += size;
    this.#total += size;
    const full = !this.hasRoom;
    this.#queued -= size;
    this.#wake();
    if (full && this.hasRoom) this.onRoom();
  }

  async #nextSegment(last: Segment | undefined, size: number): Promise<Segment> {
    await this.#handle?.close();
    this.#handle = undefined;
    // The last file of an earlier run goes on where there is room in it.
    const goesOn = last !== undefined && last.size + size <= this.#segmentBytes;
    while (!goesOn && this.#segments.length > 1) await this.#dropOldest();
    const segment = goesOn ? last : { start: this.#total, size: 0 };
    this.#handle = await open(this.#path(segment), "a", 0o600);
    if (!goesOn) this.#segments.push(segment);
    return segment;
  }

  async #dropOldest(): Promise<void> {
    const oldest = this.#segments[0] as Segment;
    const behind = (): Reader[] =>
      [...this.#readers].filter(({ offset, lost }) => !lost && offset < oldest.start + oldest.size);
    if (behind().length > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#waitMs);
        this.#moved = () => {
          if (behind().length > 0) return;
          clearTimeout(timer);
          resolve();
        };
      });
      this.#moved = () => {};
    }
    for (const reader of behind()) reader.lost = true;
    this.#segments.shift();
    await rm(this.#path(oldest), { force: true });
  }

  async #finish(): Promise<void> {
    await this.written();
    const handle = this.#handle;
    this.#handle = undefined;
    // What was written is written.
    await handle?.close().catch(() => {});
    this.#finished = true;
    this.#wake();
  }

  /** @returns Whether there is something new; false when it took too long. */
  #news(signal: AbortSignal, idleMs: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (news: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve(news);
      };
      const wake = (): void => done(true);
      const timer = idleMs === undefined ? undefined : setTimeout(done, idleMs, false);
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async #openSegment(segment: Segment): Promise<FileHandle> {
    try {
      return await open(this.#path(segment), "r");
    } catch (error) {
      if (isSystemError(error, "ENOENT")) throw this.#dropped(segment.start);
      throw error;
    }
  }

  #path({ start }: Segment): string {
    return join(this.#folder, `${this.#name}.${start}`);
  }

  #dropped(offset: number): Error {
    return failure(Code.DataLoss, `${this.#name}: what follows byte ${offset} was dropped before it could be read`);
  }
}
