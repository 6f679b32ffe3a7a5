// The log of one container: everything it wrote, cut into lines, in a bounded number of files. Writing never holds up the
// event loop; who writes asks for room before. Reading is in log-reader.ts.
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { logPendingBytes, logSegmentBytes, logSegments } from "../limits.js";
import { encodeEntry, LineCutter, type LogEntry, type StreamName } from "./log-entry.js";

/** A place in a log: a file, counted from 1, and the bytes before it in that file. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
}

/** The bounds of a log. */
export interface LogBounds {
  readonly segmentBytes: number;
  readonly segments: number;
}

interface Pending {
  readonly segment: number;
  readonly data: Uint8Array;
}

/** A log that can be written and read at once. */
export class ContainerLog {
  readonly folder: string;
  readonly #bounds: LogBounds;
  readonly #cutters = { stdout: new LineCutter("stdout"), stderr: new LineCutter("stderr") };
  #pending: Pending[] = [];
  #pendingBytes = 0;
  // Where the next entry goes, and what of it is on disk.
  #end: LogPlace;
  #written: LogPlace;
  #first: number;
  #file: { readonly segment: number; readonly handle: FileHandle } | undefined;
  #writing: Promise<void> | undefined;
  #waiting: (() => void)[] = [];
  #finished = false;

  private constructor(folder: string, bounds: LogBounds, first: number, end: LogPlace) {
    this.folder = folder;
    this.#bounds = bounds;
    this.#first = first;
    this.#end = end;
    this.#written = end;
  }

  /** Opens the log in a folder, which is made where it is missing. */
  static async open(
    folder: string,
    bounds: LogBounds = { segmentBytes: logSegmentBytes, segments: logSegments },
  ): Promise<ContainerLog> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = (await readdir(folder)).flatMap((name) =>
      /^\d+\.log$/.test(name) ? [Number.parseInt(name, 10)] : [],
    );
    if (found.length === 0) return new ContainerLog(folder, bounds, 1, { segment: 1, offset: 0 });
    const last = Math.max(...found);
    const { size } = await stat(segmentPath(folder, last));
    // A new file: the old one may end in the middle of an entry.
    const end = size === 0 ? { segment: last, offset: 0 } : { segment: last + 1, offset: 0 };
    return new ContainerLog(folder, bounds, Math.min(...found), end);
  }

  /** Whether there is room for more output; otherwise `whenRoom` is called later. */
  get hasRoom(): boolean {
    return this.#pendingBytes < logPendingBytes;
  }

  /** Called when there is room again. */
  whenRoom: () => void = () => {};

  /** The oldest file that is left. */
  get first(): number {
    return this.#first;
  }

  /** Behind the last entry. */
  get end(): LogPlace {
    return this.#end;
  }

  /** Behind the last entry that can be read. */
  get written(): LogPlace {
    return this.#written;
  }

  /** Whether nothing more comes, as the container was removed or the guest ends. */
  get finished(): boolean {
    return this.#finished;
  }

  /** What was written to a stream since its last entry. */
  rest(stream: StreamName): Uint8Array {
    return this.#cutters[stream].rest;
  }

  /** Takes output. */
  append(stream: StreamName, data: Uint8Array, at: number): void {
    this.#put(this.#cutters[stream].push(data, at));
  }

  /** Both outputs have ended: lines without an end are entries now. */
  endLines(at: number): void {
    for (const cutter of Object.values(this.#cutters)) this.#put(cutter.end(at));
  }

  /** Resolves when there is more to read, or when {@link ContainerLog.wake} is called. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Makes all who wait for a change look again. */
  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when everything that was taken is on disk. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes what waits, and closes. Nothing is taken any more. */
  async close(): Promise<void> {
    this.#finished = true;
    await this.flushed();
    await this.#file?.handle.close();
    this.#file = undefined;
    this.wake();
  }

  #put(entries: readonly LogEntry[]): void {
    if (entries.length === 0 || this.#finished) return;
    for (const entry of entries) {
      const data = encodeEntry(entry);
      const full = this.#end.offset > 0 && this.#end.offset + data.length > this.#bounds.segmentBytes;
      const { segment, offset } = full ? { segment: this.#end.segment + 1, offset: 0 } : this.#end;
      this.#end = { segment, offset: offset + data.length };
      this.#pending.push({ segment, data });
      this.#pendingBytes += data.length;
    }
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      for (let at = 0; at < batch.length; ) {
        const { segment } = batch[at] as Pending;
        const from = at;
        while (at < batch.length && batch[at]?.segment === segment) at++;
        const parts = batch.slice(from, at).map(({ data }) => data);
        const size = parts.reduce((sum, { length }) => sum + length, 0);
        try {
          await this.#writeTo(segment, Buffer.concat(parts));
        } catch {
          // A full disk must not stop a container that could go on: what cannot be kept is missing from the log.
        }
        const offset = this.#written.segment === segment ? this.#written.offset : 0;
        this.#written = { segment, offset: offset + size };
        const hadRoom = this.hasRoom;
        this.#pendingBytes -= size;
        this.wake();
        if (!hadRoom && this.hasRoom) this.whenRoom();
      }
    }
    // Here and not behind the promise: what is put in between would wait for more.
    this.#writing = undefined;
  }

  async #writeTo(segment: number, data: Uint8Array): Promise<void> {
    if (this.#file?.segment !== segment) {
      await this.#file?.handle.close();
      this.#file = undefined;
      this.#file = { segment, handle: await open(segmentPath(this.folder, segment), "a", 0o600) };
      for (; this.#first <= segment - this.#bounds.segments; this.#first++) {
        await rm(segmentPath(this.folder, this.#first), { force: true });
      }
    }
    await this.#file.handle.appendFile(data);
  }
}

/** Where one file of a log is. */
export function segmentPath(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(8, "0")}.log`);
}
