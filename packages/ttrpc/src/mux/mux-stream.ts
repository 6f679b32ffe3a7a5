// One of the connections that share a trunk, as a stream of its own. Cuts what it sends into frames; what it receives is
// counted by the mux.
import { Duplex } from "node:stream";
import { MuxCutter } from "./mux-frame.js";

/** What a stream asks of its mux. */
export interface MuxStreamHome {
  /** Sends pieces in one go, and calls back when the trunk has taken them. */
  send(pieces: readonly Uint8Array[], taken: (error?: Error | null) => void): void;
  /** The stream was read, or is not read any more. */
  read(stream: MuxStream): void;
  /** The stream is over. */
  gone(stream: MuxStream): void;
}

/** A connection. What one end writes, the other reads; neither hears of the other's end. */
export class MuxStream extends Duplex {
  /** The connection's id. */
  readonly id: number;
  readonly #home: MuxStreamHome;
  readonly #cutter: MuxCutter;

  /** @param readBytes With fewer bytes that wait to be read, the mux is told of it. */
  constructor(id: number, home: MuxStreamHome, readBytes: number) {
    super({ readableHighWaterMark: readBytes });
    this.id = id;
    this.#home = home;
    this.#cutter = new MuxCutter(id);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _read(): void {
    this.#home.read(this);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#home.gone(this);
    done(error);
  }

  #send(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const pieces = chunks.flatMap((chunk) => this.#cutter.cut(chunk));
    if (pieces.length === 0) done();
    else this.#home.send(pieces, done);
  }
}
