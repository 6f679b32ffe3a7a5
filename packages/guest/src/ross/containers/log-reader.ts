// Reads a container's log: from its beginning or its last lines, and on while it grows. Knows no service.
import { type FileHandle, open } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError } from "../../errors.js";
import { untilAborted } from "../../wait.js";
import { type ContainerLog, type LogPlace, segmentPath } from "./container-log.js";
import { decodeEntry, type LogEntry } from "./log-entry.js";

const readBytes = 64 * 1024;

/** What to read. */
export interface LogQuery {
  /** Whether an entry counts. Default: all do. */
  readonly wants?: (entry: LogEntry) => boolean;
  /** How many lines from the end to begin with. Default all. */
  readonly tail?: number;
  /** Where to stop. Default: behind what is there at the call. */
  readonly to?: LogPlace;
  /** Asked when everything there was read: whether more may come. Default: no. */
  readonly follow?: () => boolean;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal;
}

/**
 * The entries of a log, oldest first.
 *
 * @throws {RpcError} Code.ResourceExhausted when a reader is so slow that what it would read next is gone.
 */
export async function* readLog(log: ContainerLog, query: LogQuery = {}): AsyncGenerator<LogEntry> {
  const { wants = () => true, tail, follow, signal } = query;
  const to = query.to ?? log.end;
  while (before(log.written, to)) await log.flushed();
  const cursor = new Cursor(log);
  try {
    if (tail === undefined) {
      for await (const entry of cursor.read(to)) if (wants(entry)) yield entry;
    } else yield* await lastLines(cursor, to, wants, tail);
    while (follow !== undefined && signal?.aborted !== true) {
      // Asked before the look, so that what was written before the end is read after it.
      const more = follow();
      const changed = log.changed();
      for await (const entry of cursor.read(log.written)) if (wants(entry)) yield entry;
      if (!more && !before(cursor.place, log.end)) return;
      if (before(cursor.place, log.written)) continue;
      await (signal === undefined ? changed : untilAborted(changed, signal).catch(() => {}));
    }
  } finally {
    await cursor.close();
  }
}

/** The last lines; those cut into parts count once. */
async function lastLines(
  cursor: Cursor,
  to: LogPlace,
  wants: (entry: LogEntry) => boolean,
  count: number,
): Promise<LogEntry[]> {
  const lines: LogEntry[][] = [];
  const open: Partial<Record<string, LogEntry[]>> = {};
  for await (const entry of cursor.read(to)) {
    if (!wants(entry)) continue;
    let line = open[entry.stream];
    if (line === undefined) {
      line = [];
      lines.push(line);
      if (lines.length > count) lines.shift();
    }
    line.push(entry);
    open[entry.stream] = entry.partial ? line : undefined;
  }
  return lines.flat();
}

/** Where a reader is. */
class Cursor {
  readonly #log: ContainerLog;
  #segment: number;
  #offset = 0;
  #file: FileHandle | undefined;
  // Only what was there when the reader came may be gone without a word.
  #began = false;

  constructor(log: ContainerLog) {
    this.#log = log;
    this.#segment = log.first;
  }

  get place(): LogPlace {
    return { segment: this.#segment, offset: this.#offset };
  }

  /** Reads on up to a place that was written. */
  async *read(to: LogPlace): AsyncGenerator<LogEntry> {
    while (before(this.place, to)) {
      const file = await this.#open();
      if (file !== undefined) {
        for await (const entry of this.#entries(file, this.#segment < to.segment ? undefined : to.offset)) yield entry;
      }
      if (this.#segment >= to.segment) {
        // What could not be written to the disk is passed over.
        this.#offset = Math.max(this.#offset, to.offset);
        return;
      }
      await this.close();
      this.#segment++;
      this.#offset = 0;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async *#entries(file: FileHandle, end: number | undefined): AsyncGenerator<LogEntry> {
    let rest: Uint8Array = new Uint8Array();
    let position = this.#offset;
    for (;;) {
      const wanted = Math.min(readBytes, (end ?? Number.POSITIVE_INFINITY) - position);
      if (wanted <= 0) return;
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      let all = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let feed = all.indexOf(10); feed >= 0; feed = all.indexOf(10)) {
        const entry = decodeEntry(all.subarray(0, feed));
        this.#offset += feed + 1;
        all = all.subarray(feed + 1);
        if (entry !== undefined) yield entry;
      }
      rest = all;
    }
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#file !== undefined) return this.#file;
    try {
      this.#file = await open(segmentPath(this.#log.folder, this.#segment));
      this.#began = true;
      return this.#file;
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw failure(Code.Internal, `the log cannot be read`, error);
      if (this.#began && this.#segment < this.#log.first) {
        throw failure(Code.ResourceExhausted, "the log grew faster than it was read; the next lines are gone");
      }
      return undefined;
    }
  }
}

function before(a: LogPlace, b: LogPlace): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}
