// The receiving side of a connection: cuts chunks into frames, lets other work have its turn, watches slow frames.
// Shared by client and server; knows no streams.
import type { Deadlined, DeadlineWheel } from "./deadline-wheel.js";
import { FrameDecoder } from "./frame.js";
import type { Limits } from "./limits.js";
import type { ChunkMemory, Clock, Link } from "./link.js";

/** What a reader tells its session. */
export interface FrameHandler {
  /** A frame is whole; it is described by the decoder's fields until this returns. */
  frame(decoder: FrameDecoder): void;
  /** What the peer sends cannot be frames, or does not come to an end. */
  unreadable(message: string): void;
}

/** Reads frames off a link. */
export class FrameReader implements Deadlined {
  deadlineAt = 0;
  wheelNext: Deadlined | undefined = undefined;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelSlot = -1;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #wheel: DeadlineWheel;
  readonly #limits: Limits;
  readonly #handler: FrameHandler;
  readonly #decoder: FrameDecoder;
  #yielding = false;
  #paused = false;
  #closed = false;

  constructor(link: Link, clock: Clock, wheel: DeadlineWheel, limits: Limits, handler: FrameHandler) {
    this.#link = link;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#limits = limits;
    this.#handler = handler;
    this.#decoder = new FrameDecoder(limits.messageBytes);
  }

  /** Whether the link is not read for the moment. */
  get paused(): boolean {
    return this.#paused || this.#yielding;
  }

  /** Where the next bytes had best be put; `undefined` where any memory will do. */
  get wanted(): Buffer | undefined {
    return this.#decoder.wanted;
  }

  /** Takes received bytes. */
  received(chunk: Buffer, memory?: ChunkMemory): void {
    if (this.#closed) return;
    this.#decoder.push(chunk, memory);
    if (!this.#yielding) this.#read();
    else this.#decoder.keep();
  }

  /** Stops reading the link; what has come already is still handled. */
  pause(): void {
    this.#paused = true;
    this.#link.pause();
    // A frame whose rest is not read is not late.
    this.#wheel.remove(this);
  }

  /** Reads the link again. */
  resume(): void {
    this.#paused = false;
    if (this.#closed || this.#yielding) return;
    this.#link.resume();
    this.#watch(true);
  }

  /** Reads nothing more. */
  close(): void {
    this.#closed = true;
    this.#wheel.remove(this);
  }

  deadlinePassed(): void {
    this.#handler.unreadable(`a frame did not end within ${this.#limits.frameMs} ms`);
  }

  #read(): void {
    const decoder = this.#decoder;
    let frames = 0;
    try {
      while (!this.#closed && decoder.next()) {
        this.#handler.frame(decoder);
        if (++frames === this.#limits.framesPerTurn) return this.#yield();
      }
    } catch (error) {
      return this.#handler.unreadable((error as Error).message);
    }
    if (!this.#closed && !this.#paused) this.#watch(frames > 0);
  }

  /** Lets other work have its turn; what arrives meanwhile waits in the decoder or, past a chunk, in the socket. */
  #yield(): void {
    this.#yielding = true;
    this.#link.pause();
    this.#decoder.keep();
    // The frame that was watched has ended.
    this.#wheel.remove(this);
    this.#clock.later(() => {
      this.#yielding = false;
      if (this.#closed) return;
      if (!this.#paused) this.#link.resume();
      this.#read();
    });
  }

  /** Gives the frame that has begun its time. */
  #watch(fresh: boolean): void {
    const waits = this.wheelSlot >= 0;
    if (!this.#decoder.midFrame) {
      if (waits) this.#wheel.remove(this);
    } else if (fresh || !waits) {
      if (waits) this.#wheel.remove(this);
      this.deadlineAt = this.#clock.now() + this.#limits.frameMs;
      this.#wheel.add(this);
    }
  }
}
