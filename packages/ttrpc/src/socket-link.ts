// A link over a Node stream: a net.Socket, or any other Duplex. The only file that hears stream events; what client
// sockets read comes from receive-memory.ts.
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Peer } from "@guestwire/rpc";
import type { Link, LinkHandler } from "./link.js";
import type { ReceiveMemory } from "./receive-memory.js";

/**
 * Makes a link of an open stream. The stream is the link's from now on, and is destroyed at its end.
 *
 * @param memory What the stream was told to read into when it was made. Otherwise what comes is heard as `data`; `own` where
 * nobody else listens to the stream. Default `shared`.
 */
export function socketLink(stream: Duplex, peer: Peer, memory: ReceiveMemory | "own" | "shared" = "shared"): Link {
  return new SocketLink(stream, peer, memory);
}

const nothing = Buffer.alloc(0);

class SocketLink implements Link {
  readonly peer: Peer;
  readonly #stream: Duplex;
  // Only a real socket has copied the bytes when its queue is empty again; others keep the memory they are given.
  readonly #copies: boolean;
  readonly #memory: ReceiveMemory | "own" | "shared";
  #handler: LinkHandler | undefined;
  #error: Error | undefined;
  #over = false;

  constructor(stream: Duplex, peer: Peer, memory: ReceiveMemory | "own" | "shared") {
    this.#stream = stream;
    this.#memory = memory;
    this.#copies = stream instanceof Socket;
    this.peer = peer;
    // From the first moment on, so that an early error is not an uncaught one.
    stream.on("error", (error) => {
      this.#error ??= error;
      if (!this.#copies) this.#close();
    });
    stream.on("close", () => this.#close());
    // A peer that ended its side is gone: Go and Rust never half-close, and ttrpc has no use for it.
    stream.on("end", () => this.#close());
    stream.on("drain", () => this.#handler?.drained());
    if (stream instanceof Socket) stream.setNoDelay(true);
  }

  get queuedBytes(): number {
    return this.#stream.writableLength;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    const memory = this.#memory;
    if (typeof memory === "string") {
      this.#stream.on("data", (chunk: Buffer) => {
        if (!this.#over) handler.received(chunk, memory);
      });
    } else {
      // Also for its end to be noticed.
      this.#stream.resume();
      memory.start(handler);
    }
    if (this.#over || this.#stream.destroyed) {
      this.#over = true;
      handler.closed(this.#error);
    }
  }

  write(bytes: Buffer): boolean {
    if (!this.#stream.writable) return true;
    if (!this.#copies) {
      this.#stream.write(Buffer.from(bytes));
      if (this.#stream.writableLength > 0) this.#watchQueue();
      return true;
    }
    this.#stream.write(bytes);
    if (this.#stream.writableLength === 0) return true;
    this.#watchQueue();
    return false;
  }

  writeAll(pieces: readonly Uint8Array[]): void {
    if (!this.#stream.writable) return;
    this.#stream.cork();
    for (const piece of pieces) this.#stream.write(piece);
    this.#stream.uncork();
    if (this.#stream.writableLength > 0) this.#watchQueue();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    if (this.#stream.destroyed) return;
    this.#stream.end(() => this.destroy());
    // Paused data would keep the end of the peer's side from being seen.
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.destroy();
    // Streams that are no sockets need not tell of their end (`emitClose: false`).
    if (!this.#copies && !this.#over) process.nextTick(() => this.#close());
  }

  /** Below its high-water mark a stream sends no drain event: then an empty write behind the others tells the same. */
  #watchQueue(): void {
    if (!this.#stream.writableNeedDrain) this.#stream.write(nothing, this.#written);
  }

  readonly #written = (): void => {
    if (this.#stream.writableLength === 0) this.#handler?.drained();
  };

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#handler === undefined) this.#stream.destroy();
    else this.#handler.closed(this.#error);
  }
}
