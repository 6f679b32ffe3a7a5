// A connection of the simulated network: two ends, each a Link as the product takes it, and a pipe each way that has a
// capacity, takes time, cuts and glues at will, and can be stalled, ended or reset. Behaves as socket-link.ts on a socket:
// what the pipe does not take at once stays in the sender's memory, by reference.
import type { SimClock } from "./clock.js";
import type { Link, LinkHandler } from "./product.js";
import type { SimRandom } from "./random.js";

/** How a connection treats bytes. */
export interface LinkTraits {
  /** Bytes that the pipe of one direction holds. */
  readonly capacity: number;
  /** The longest time that a chunk is under way, in milliseconds. */
  readonly latencyMs: number;
  /** The most bytes that are delivered at once. */
  readonly chunkBytes: number;
  /** How often a chunk is cut somewhere, from 0 to 1. */
  readonly cuts: number;
  /** Whether bytes arrive within the write already, as with streams inside one process. */
  readonly immediate: boolean;
}

/** Whom an end tells what passes through it. */
export interface LinkWatcher {
  wrote(end: SimEnd, bytes: Uint8Array): void;
  /** The product closed its end, or was told that it is closed. */
  over(end: SimEnd): void;
}

const connectionReset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

/** One end of a connection. */
export class SimEnd implements Link {
  readonly peer: { readonly kind: string; readonly address: string };
  readonly name: string;
  other!: SimEnd;
  /** Whether the product let go of it. */
  destroyed = false;
  /** Whether the product was told of its end. */
  told = false;
  /** Whether it was closed with unread data, so that what it had sent may be lost. */
  rude = false;
  /** Nothing is delivered to this end before then. */
  stalledUntil = 0;
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #traits: LinkTraits;
  readonly #watcher: LinkWatcher;
  #handler: LinkHandler | undefined;
  #paused = false;
  #ending = false;
  // What the product wrote and the pipe has not taken: the product's own memory.
  readonly #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #tellDrained = false;
  // What is under way to this end.
  #arriving: Buffer[] = [];
  #arrivingBytes = 0;
  #finished = false;
  #scheduled = false;
  #turn = 0;
  #reset: Error | undefined;

  constructor(
    name: string,
    address: string,
    clock: SimClock,
    random: SimRandom,
    traits: LinkTraits,
    watcher: LinkWatcher,
  ) {
    this.name = name;
    this.peer = { kind: "sim", address };
    this.#clock = clock;
    this.#random = random;
    this.#traits = traits;
    this.#watcher = watcher;
  }

  get queuedBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether the product has begun to read. */
  get started(): boolean {
    return this.#handler !== undefined;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    if (this.destroyed || this.#reset !== undefined) this.#tell(this.#reset);
    else this.#wake();
  }

  write(bytes: Buffer): boolean {
    if (this.destroyed || this.#ending) return true;
    this.#watcher.wrote(this, bytes);
    return this.#send(bytes);
  }

  writeAll(pieces: readonly Uint8Array[]): void {
    if (this.destroyed || this.#ending) return;
    for (const piece of pieces) {
      this.#watcher.wrote(this, piece);
      this.#send(piece);
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    if (this.destroyed || this.#ending) return;
    this.#ending = true;
    this.resume();
    this.#finishIfSent();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#watcher.over(this);
    this.#unsent.length = 0;
    this.#unsentBytes = 0;
    // A socket that is closed with unread data resets the connection, and what was under way is lost.
    this.rude = this.#arrivingBytes > 0 && this.#random.chance(0.5);
    this.#dropArriving();
    if (this.rude) this.other.breakOff(connectionReset(), 0);
    else this.other.#finish();
    this.#clock.happen(0, () => this.#tell(this.#reset));
  }

  /** The connection breaks: nothing comes any more, and what was under way is lost. */
  breakOff(error: Error, afterMs: number): void {
    if (this.#reset !== undefined || this.destroyed) return;
    this.#reset = error;
    this.#dropArriving();
    this.#clock.happen(afterMs, () => this.#tell(error));
  }

  /** The other end says that it sends no more, without closing: what tools do that half-close. */
  halfClose(): void {
    this.#finish();
  }

  /** Takes back a stall. */
  heal(): void {
    this.stalledUntil = 0;
    this.#scheduled = false;
    this.#wake();
  }

  #send(bytes: Uint8Array): boolean {
    const { immediate, capacity } = this.#traits;
    const { other } = this;
    if (immediate && this.#unsent.length === 0 && other.#deliverAtOnce(bytes)) return true;
    const room = this.#unsent.length > 0 ? 0 : Math.max(0, capacity - other.#arrivingBytes);
    if (room >= bytes.length) {
      other.#arrive(Buffer.from(bytes));
      return true;
    }
    if (room > 0) other.#arrive(Buffer.from(bytes.subarray(0, room)));
    this.#unsent.push(bytes.subarray(room));
    this.#unsentBytes += bytes.length - room;
    this.#tellDrained = true;
    return false;
  }

  /** Bytes left the pipe: what waited goes in. */
  #refill(): void {
    const { capacity } = this.#traits;
    const { other } = this;
    while (this.#unsent.length > 0 && other.#arrivingBytes < capacity) {
      const piece = this.#unsent[0] as Uint8Array;
      const taken = Math.min(piece.length, capacity - other.#arrivingBytes);
      other.#arrive(Buffer.from(piece.subarray(0, taken)));
      this.#unsentBytes -= taken;
      if (taken === piece.length) this.#unsent.shift();
      else this.#unsent[0] = piece.subarray(taken);
    }
    if (this.#unsent.length > 0) return;
    this.#finishIfSent();
    if (!this.#tellDrained) return;
    this.#tellDrained = false;
    this.#clock.happen(0, () => {
      if (!this.destroyed && !this.told && this.#unsentBytes === 0) this.#handler?.drained();
    });
  }

  #finishIfSent(): void {
    if (this.#ending && this.#unsent.length === 0) this.#clock.happen(0, () => this.destroy());
  }

  #arrive(bytes: Buffer): void {
    if (bytes.length === 0 || this.destroyed || this.#reset !== undefined || this.#finished) return;
    this.#arriving.push(bytes);
    this.#arrivingBytes += bytes.length;
    this.#wake();
  }

  #finish(): void {
    this.#finished = true;
    this.#wake();
  }

  #dropArriving(): void {
    this.#arriving = [];
    this.#arrivingBytes = 0;
  }

  #deliverAtOnce(bytes: Uint8Array): boolean {
    if (!this.#readable || this.#arrivingBytes > 0 || this.#finished || this.stalledUntil > this.#clock.now()) {
      return false;
    }
    this.#handler?.received(Buffer.from(bytes));
    return true;
  }

  get #readable(): boolean {
    return this.#handler !== undefined && !this.#paused && !this.destroyed && !this.told && this.#reset === undefined;
  }

  #wake(): void {
    if (this.#scheduled || !this.#readable || (this.#arrivingBytes === 0 && !this.#finished)) return;
    this.#scheduled = true;
    const stalled = this.stalledUntil - this.#clock.now();
    if (stalled === Number.POSITIVE_INFINITY) return;
    const ms = stalled > 0 ? stalled : this.#random.next() * this.#traits.latencyMs;
    const turn = ++this.#turn;
    this.#clock.happen(ms, () => {
      if (turn !== this.#turn) return;
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (!this.#readable) return;
    if (this.stalledUntil > this.#clock.now()) return this.#wake();
    if (this.#arrivingBytes === 0) {
      if (this.#finished) this.#tell(undefined);
      return;
    }
    const chunk = this.#takeChunk();
    this.other.#refill();
    this.#handler?.received(chunk);
    this.#wake();
  }

  #takeChunk(): Buffer {
    const { cuts, chunkBytes } = this.#traits;
    const most = Math.min(this.#arrivingBytes, chunkBytes);
    const size = this.#random.chance(cuts)
      ? this.#random.int(1, Math.min(most, this.#random.pick([1, 12, most])))
      : most;
    const all = this.#arriving.length === 1 ? (this.#arriving[0] as Buffer) : Buffer.concat(this.#arriving);
    this.#arriving = size < all.length ? [all.subarray(size)] : [];
    this.#arrivingBytes -= size;
    return Buffer.from(all.subarray(0, size));
  }

  #tell(error: Error | undefined): void {
    if (this.told || this.#handler === undefined) return;
    this.told = true;
    this.#watcher.over(this);
    this.#handler.closed(error);
  }
}
