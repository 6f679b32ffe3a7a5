// The sending side of a connection: frames written in place into one slab, one write per turn of the event loop.
// That is worth 4.5 times the throughput at 64 calls in flight. Knows frames and the link, no streams.
import { Sink } from "@guestwire/rpc/codec";
import { headerBytes, writeHeader } from "./frame.js";
import type { Clock, Link } from "./link.js";

const slabBytes = 64 * 1024;
// Slabs that no connection uses, so that one at rest holds no memory.
const pool: Buffer[] = [];
const pooledSlabs = 64;
// Up to this size the bytes around attachments are copied.
const copiedBytes = 8 * 1024;
const noSlab = Buffer.alloc(0);

/** Writes frames to a link. */
export class Output extends Sink {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #room: () => void;
  readonly #waiting: (() => void)[] = [];
  #flushSoon = false;
  #closed = false;
  #frameAt = 0;
  #frameAttachments = 0;
  #frameAttached = 0;
  #id = 0;
  #type = 0;
  #flags = 0;
  readonly #flushTask = (): void => {
    this.#flushSoon = false;
    this.flush();
    // A link that took everything at once has nothing to tell later, and those who wait would do so for ever.
    if (this.#closed || this.#link.queuedBytes > 0) return;
    this.drained();
    this.#room();
  };

  /** @param room Told when a turn's frames were taken at once; otherwise the link's `drained` tells the same. */
  constructor(link: Link, clock: Clock, room: () => void = () => {}) {
    super(noSlab);
    this.#link = link;
    this.#clock = clock;
    this.#room = room;
  }

  /** Bytes written and not yet taken by the system. */
  get queuedBytes(): number {
    return this.at + this.attached + this.#link.queuedBytes;
  }

  /** Begins a frame; its data is what is written until {@link Output.endFrame}. */
  beginFrame(id: number, type: number, flags: number): void {
    this.ensure(headerBytes);
    this.#frameAt = this.at;
    this.#frameAttachments = this.attachments.length;
    this.#frameAttached = this.attached;
    this.#id = id;
    this.#type = type;
    this.#flags = flags;
    this.at += headerBytes;
  }

  /** The size of the frame's data so far, in bytes. */
  get frameBytes(): number {
    return this.at - this.#frameAt - headerBytes + this.attached - this.#frameAttached;
  }

  /** Completes the frame and sends it with the others of this turn. */
  endFrame(): void {
    writeHeader(this.buffer, this.#frameAt, this.frameBytes, this.#id, this.#type, this.#flags);
    if (this.#closed) this.rollback(0, 0, 0);
    else if (this.at + this.attached >= slabBytes) this.flush();
    else if (!this.#flushSoon) {
      this.#flushSoon = true;
      this.#clock.soon(this.#flushTask);
    }
  }

  /** Takes back the frame that was begun. */
  dropFrame(): void {
    this.rollback(this.#frameAt, this.#frameAttachments, this.#frameAttached);
  }

  /** Sends a frame without data. */
  emptyFrame(id: number, type: number, flags: number): void {
    this.beginFrame(id, type, flags);
    this.endFrame();
  }

  /** Hands everything over to the link. */
  flush(): void {
    const { buffer, at } = this;
    if (at === 0 || this.#closed) return;
    // Let go of first: a stream within this process may answer, and we send, before its write returns.
    this.at = 0;
    this.buffer = noSlab;
    if (this.attachments.length > 0) {
      // The link keeps what it is given. What lies around the attachments is little: copied, the slab can be used again
      // (20 % more on streams of 32 KiB).
      const copied = at <= copiedBytes;
      const pieces = this.#pieces(copied ? Buffer.from(buffer.subarray(0, at)) : buffer, at);
      this.attachments.length = 0;
      this.attached = 0;
      if (copied) this.#keep(buffer);
      return this.#link.writeAll(pieces);
    }
    // A slab that the link keeps is the garbage collector's.
    if (this.#link.write(buffer.subarray(0, at))) this.#keep(buffer);
  }

  /** Resolves once no more than `bytes` are queued, or the connection is closed; `undefined` where that is so already. */
  room(bytes: number): Promise<void> | undefined {
    if (this.#closed || this.queuedBytes <= bytes) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Calls `task` once no more than `bytes` are queued, or the connection is closed. */
  whenBelow(bytes: number, task: () => void): void {
    if (this.#closed || this.queuedBytes <= bytes) task();
    else this.#waiting.push(task);
  }

  /** To be called when the link has sent everything. */
  drained(): void {
    if (this.#waiting.length === 0) return;
    for (const task of this.#waiting.splice(0)) task();
  }

  /** Drops what is written, and from now on everything; lets all go who wait. */
  shut(): void {
    this.#closed = true;
    this.rollback(0, 0, 0);
    this.buffer = noSlab;
    this.drained();
  }

  protected override grow(size: number): void {
    if (this.buffer === noSlab && size <= slabBytes) this.buffer = pool.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
    else super.grow(size);
  }

  /** Puts a slab back for others; one that grew is too large to keep. */
  #keep(slab: Buffer): void {
    if (slab.length === slabBytes && pool.length < pooledSlabs) pool.push(slab);
  }

  #pieces(buffer: Buffer, end: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (const { at, data } of this.attachments) {
      if (at > from) pieces.push(buffer.subarray(from, at));
      pieces.push(data);
      from = at;
    }
    if (end > from) pieces.push(buffer.subarray(from, end));
    return pieces;
  }
}
