// One entry of a container's log and how it lies on disk: a head, the bytes, a line feed. No files here.
import { logLineBytes } from "../limits.js";

/** An output of a container. */
export type StreamName = "stdout" | "stderr";

/** A line of output, or a part of one that is too long. */
export interface LogEntry {
  /** When it was written, in milliseconds since 1970. */
  readonly at: number;
  readonly stream: StreamName;
  /** Whether the line goes on in the next entry of this stream. */
  readonly partial: boolean;
  /** Without the line feed. */
  readonly data: Uint8Array;
}

const lineFeed = 10;
// Time, stream and kind: "1700000000000 o= " for a whole line of stdout, "1700000000000 e+ " for a part of one of stderr.
const head = /^(\d+) ([oe])([=+]) $/;

/** The form on disk. The data holds no line feed. */
export function encodeEntry({ at, stream, partial, data }: LogEntry): Uint8Array {
  const kind = `${stream === "stdout" ? "o" : "e"}${partial ? "+" : "="}`;
  return Buffer.concat([Buffer.from(`${at} ${kind} `), data, Buffer.of(lineFeed)]);
}

/** Reads a line of a log file without its line feed. @returns `undefined` for what is none, as after a crash. */
export function decodeEntry(line: Uint8Array): LogEntry | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const space = bytes.indexOf(0x20);
  if (space < 0) return undefined;
  const found = head.exec(bytes.toString("latin1", 0, space + 4));
  if (found === null) return undefined;
  const [, at, stream, kind] = found;
  return {
    at: Number(at),
    stream: stream === "o" ? "stdout" : "stderr",
    partial: kind === "+",
    data: bytes.subarray(space + 4),
  };
}

/** Cuts one stream of bytes into entries. */
export class LineCutter {
  readonly #stream: StreamName;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: StreamName) {
    this.#stream = stream;
  }

  /** What was written since the last entry. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** Takes bytes. @returns The entries that they complete. */
  push(data: Uint8Array, at: number): LogEntry[] {
    const entries: LogEntry[] = [];
    const stream = this.#stream;
    let all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    for (;;) {
      const end = all.indexOf(lineFeed);
      const length = end < 0 ? all.length : end;
      if (length > logLineBytes) {
        const cut = wholeCharacters(all);
        entries.push({ at, stream, partial: true, data: all.subarray(0, cut) });
        all = all.subarray(cut);
      } else if (end >= 0) {
        entries.push({ at, stream, partial: false, data: all.subarray(0, end) });
        all = all.subarray(end + 1);
      } else {
        // A copy, as the rest of a large piece would keep all of it.
        this.#rest = Uint8Array.from(all);
        return entries;
      }
    }
  }

  /** The stream has ended. @returns The entry of a last line without an end. */
  end(at: number): LogEntry[] {
    const data = this.#rest;
    this.#rest = new Uint8Array();
    return data.length === 0 ? [] : [{ at, stream: this.#stream, partial: true, data }];
  }
}

/** Where to cut an endless line: not inside of a UTF-8 character. */
function wholeCharacters(data: Uint8Array): number {
  let cut = logLineBytes;
  while (cut > logLineBytes - 4 && ((data[cut] as number) & 0xc0) === 0x80) cut--;
  return cut > logLineBytes - 4 ? cut : logLineBytes;
}
