// The sending side of a connection: frames written in place into one slab, and few writes per turn of the event loop.
// That is worth 4.5 times the throughput at 64 calls in flight. Knows frames and the link, no streams.
import { Sink } from "@guestwire/rpc/codec";
import { headerBytes, writeHeader } from "./frame.js";
import type { Clock, Link } from "./link.js";

const slabBytes = 64 * 1024;
// In a turn with much to send, so much goes first, then twice as much, and so on: the peer begins while we go on, instead of
// both waiting for each other. 55 % more calls per second at 64 in flight on two cores (8 % more CPU on one), and the first
// message of a fast stream comes four times as early.
const firstWriteBytes = 4 * 1024;
// Slabs that no connection uses, so that one at rest holds no memory.
const pool: Buffer[] = [];
const pooledSlabs = 64;
// Slabs that are ours, in the pool and in use. When thousands of connections send in the same turn, those past the pool's size
// get a piece of Node's own pool: a fresh slab for each costs 70 µs a call, most of it memory that is touched for one frame.
let slabs = 0;
const pieceBytes = 1024;
// Up to this size the bytes around attachments are copied.
const copiedBytes = 8 * 1024;
const noSlab = Buffer.alloc(0);
// Of what waits in order, so much goes at a time.
const releasedBytes = 256 * 1024;

/** Who waits until no more than `bytes` are queued. */
interface Parked {
  readonly bytes: number;
  readonly task: () => void;
}

/** Writes frames to a link. */
export class Output extends Sink {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #room: () => void;
  // Streams that wait for room, and replies that do: these have been made, and go in the order in which they were.
  readonly #waiting: (() => void)[] = [];
  readonly #parked: Parked[] = [];
  #releasing = false;
  #flushSoon = false;
  #flushAt = firstWriteBytes;
  #closed = false;
  #frameAt = 0;
  #frameAttachments = 0;
  #frameAttached = 0;
  #id = 0;
  #type = 0;
  #flags = 0;
  readonly #flushTask = (): void => {
    this.#flushSoon = false;
    this.#flushAt = firstWriteBytes;
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
    if (this.#closed) return this.#letGo();
    const written = this.at + this.attached;
    if (written >= this.#flushAt) this.#flushEarly(written);
    if (this.#flushSoon) return;
    this.#flushSoon = true;
    this.#clock.soon(this.#flushTask);
  }

  #flushEarly(written: number): void {
    // What the system does not take now would only wait elsewhere, in more pieces.
    if (written < slabBytes && this.#link.queuedBytes > 0) return;
    this.#flushAt = Math.min(slabBytes, this.#flushAt * 2);
    this.flush();
  }

  /** Takes back the frame that was begun. */
  dropFrame(): void {
    this.rollback(this.#frameAt, this.#frameAttachments, this.#frameAttached);
    // The only one of its turn: nothing will be flushed.
    if (this.length === 0) this.#letGo();
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
      else this.#lose(buffer);
      return this.#link.writeAll(pieces);
    }
    // A slab that the link keeps is the garbage collector's.
    if (this.#link.write(buffer.subarray(0, at))) this.#keep(buffer);
    else this.#lose(buffer);
  }

  /** Resolves once no more than `bytes` are queued, or the connection is closed; `undefined` where that is so already. */
  room(bytes: number): Promise<void> | undefined {
    if (this.#closed || this.queuedBytes <= bytes) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Whether {@link Output.whenBelow} would make a task wait: more than `bytes` are queued, or others wait. */
  full(bytes: number): boolean {
    return !this.#closed && (this.#parked.length > 0 || this.queuedBytes > bytes);
  }

  /** Calls `task` once no more than `bytes` are queued and those before it were called, or the connection is closed. */
  whenBelow(bytes: number, task: () => void): void {
    if (this.full(bytes)) this.#parked.push({ bytes, task });
    else task();
  }

  /** To be called when the link has sent everything. */
  drained(): void {
    const streams = this.#waiting.splice(0);
    for (const task of streams) task();
    if (this.#parked.length === 0) return;
    // Streams ask again, and send, before the event loop goes on: behind all that is parked they would never find room.
    if (streams.length > 0 && !this.#closed) this.#clock.later(this.#release);
    else this.#release();
  }

  /** Lets those go who wait in order, some at a time: the link is soon drained again, and streams have their turn between. */
  readonly #release = (): void => {
    if (this.#releasing) return;
    this.#releasing = true;
    const enough = this.queuedBytes + releasedBytes;
    try {
      for (let next = this.#parked[0]; next !== undefined; next = this.#parked[0]) {
        if (!this.#closed && this.queuedBytes > Math.min(next.bytes, enough)) break;
        this.#parked.shift();
        next.task();
      }
    } finally {
      this.#releasing = false;
    }
  };

  /** Drops what is written, and from now on everything; lets all go who wait. */
  shut(): void {
    this.#closed = true;
    this.#letGo();
    this.drained();
  }

  /** Drops what is written, and puts its memory back. */
  #letGo(): void {
    const { buffer } = this;
    this.rollback(0, 0, 0);
    this.buffer = noSlab;
    this.#keep(buffer);
  }

  protected override grow(size: number): void {
    const { buffer } = this;
    if (buffer !== noSlab || size > slabBytes) {
      super.grow(size);
      // What was written has moved. A piece that was doubled often enough is a slab from now on.
      this.#keep(buffer);
      if (this.buffer.length === slabBytes) slabs++;
      return;
    }
    const slab = pool.pop();
    if (slab !== undefined) this.buffer = slab;
    else if (slabs >= pooledSlabs && size <= pieceBytes) this.buffer = Buffer.allocUnsafe(pieceBytes);
    else {
      slabs++;
      this.buffer = Buffer.allocUnsafeSlow(slabBytes);
    }
  }

  /** Puts a slab back for others; one that grew is too large to keep. */
  #keep(slab: Buffer): void {
    if (slab.length !== slabBytes) return;
    if (pool.length < pooledSlabs) pool.push(slab);
    else slabs--;
  }

  /** Counts a slab no more that is not ours any longer. */
  #lose(slab: Buffer): void {
    if (slab.length === slabBytes) slabs--;
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
