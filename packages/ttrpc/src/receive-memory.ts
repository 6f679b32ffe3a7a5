// The memory that client sockets read into. Node's own way is 64 KiB of fresh memory for each read: 1 µs a read, and with large
// messages more time in garbage collection than in everything else. Servers have no public way to choose theirs.
import type { OnReadOpts } from "node:net";
import type { LinkHandler } from "./link.js";

/**
 * The size of the memory, in bytes. Codecs take views of fields from a quarter of the memory on (`takeBytes`); frames in here are
 * below {@link ownBytes}, so that no field comes near that. Beyond 128 KiB it no longer stays in the processor's cache (10 %
 * slower at 256 KiB).
 */
export const slabBytes: number = 128 * 1024;

// One for all connections: what a read brings is used up, or copied, before the next one begins.
let slab: Buffer | undefined;

/** What a socket is told to read into. One for each socket; given to it when it is made, before there is a handler. */
export class ReceiveMemory {
  #handler: LinkHandler | undefined;
  // What came before there was a handler. No ttrpc server speaks first, but others may.
  readonly #early: Buffer[] = [];

  /** For `net.connect()`. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#next(),
    callback: (size, bytes) => this.#received(bytes as Buffer, size),
  };

  /** Begins to deliver. */
  start(handler: LinkHandler): void {
    this.#handler = handler;
    for (const chunk of this.#early.splice(0)) handler.received(chunk);
  }

  /** Where the next read goes. Asked in front of the first one, and after each. */
  #next(): Uint8Array {
    slab ??= Buffer.allocUnsafeSlow(slabBytes);
    return this.#handler?.wanted ?? slab;
  }

  /** @returns Whether to read on. */
  #received(bytes: Buffer, size: number): boolean {
    const chunk = bytes.subarray(0, size);
    if (this.#handler === undefined) this.#early.push(Buffer.from(chunk));
    else this.#handler.received(chunk, "lent");
    return this.#handler !== undefined;
  }
}
