// One output of a process (stdout or stderr) and those who read it: live, in pieces, to any number of subscribers.
// Knows no process: pieces are pushed in, and the owner is told when to stop and when to go on.
import { chunkBytes, keptBytes } from "../limits.js";

/** Somebody who reads an output. */
export interface OutputReader {
  /** Whether it must not lose a piece: the output then stands still while it has no room. Default false. */
  readonly needsAll?: boolean;
  /** Whether another piece would be kept. */
  hasRoom(): boolean;
  /** A piece of at most 32 KiB. */
  chunk(data: Uint8Array): void;
  /** Nothing more comes. */
  end(): void;
}

/**
 * The output of one stream of one process.
 *
 * While nobody ever subscribed, the last 256 KiB are kept for the first subscriber. Later subscribers get what comes after
 * they came. As long as at least one subscriber has room the output flows, and those without room lose pieces; when none has,
 * it stands still. So a single reader never loses anything and slows the process down as a pipe does, while with
 * several readers the fastest sets the pace. Those who need everything set it for all.
 */
export class ProcessOutput {
  readonly #readers = new Set<OutputReader>();
  readonly #changed: () => void;
  #kept: Uint8Array[] | undefined = [];
  #keptSize = 0;
  #ended = false;

  /** @param changed Called when {@link ProcessOutput.flowing} may have become true. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether there is a place for more output. */
  get flowing(): boolean {
    let [room, none] = [false, true];
    for (const reader of this.#readers) {
      none = false;
      if (reader.hasRoom()) room = true;
      else if (reader.needsAll === true) return false;
    }
    return room || none;
  }

  /** Whether nothing more comes. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Passes on what the process wrote. */
  push(data: Uint8Array): void {
    if (this.#ended) return;
    if (this.#kept !== undefined) return this.#keep(data);
    const readers = [...this.#readers];
    // A reader of two outputs may be full of the other one: what comes before this one stands still must not be lost.
    const none = !readers.some((reader) => reader.hasRoom());
    const takers = readers.filter((reader) => none || reader.needsAll === true || reader.hasRoom());
    for (const piece of pieces(data)) for (const reader of takers) reader.chunk(piece);
  }

  /** Ends the output for all who read and will read. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of [...this.#readers]) reader.end();
    this.#readers.clear();
  }

  /**
   * Adds a reader.
   *
   * @returns Takes the reader away again.
   */
  subscribe(reader: OutputReader): () => void {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const data of kept) for (const piece of pieces(data)) reader.chunk(piece);
    if (this.#ended) {
      reader.end();
      return () => {};
    }
    this.#readers.add(reader);
    this.#changed();
    return () => {
      if (this.#readers.delete(reader)) this.#changed();
    };
  }

  /** A reader has room again. */
  roomMade(): void {
    this.#changed();
  }

  #keep(data: Uint8Array): void {
    const kept = this.#kept as Uint8Array[];
    kept.push(data);
    this.#keptSize += data.length;
    while (this.#keptSize > keptBytes) {
      const [first] = kept as [Uint8Array];
      const over = this.#keptSize - keptBytes;
      if (first.length <= over) kept.shift();
      else kept[0] = first.subarray(over);
      this.#keptSize -= Math.min(first.length, over);
    }
  }
}

function* pieces(data: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < data.length; at += chunkBytes) yield data.subarray(at, at + chunkBytes);
}
