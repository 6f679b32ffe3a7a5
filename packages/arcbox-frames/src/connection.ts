// A connection over a Node stream, frame by frame: read when asked, written in order, closed once. The only file that hears
// stream events. Knows no number and no message.
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { attachBytes } from "@guestwire/rpc/codec";
import { holdBytes } from "@guestwire/rpc/transport";
import { encodeFrame, type Frame, type FrameError } from "./frame.js";
import { FrameDecoder } from "./frame-decoder.js";
import type { Limits } from "./limits.js";

type Reader = PromiseWithResolvers<Frame | undefined>;

/** One open connection. The stream is its own from now on. */
export class FrameConnection {
  readonly peer: Peer;
  /** Settles when the stream is closed and its descriptor free. */
  readonly gone: Promise<void>;
  /** Called once when the peer is gone or the connection was destroyed, with why where it was not orderly. */
  onClosed: ((error: Error | undefined) => void) | undefined;
  /** Called when bytes came that nobody waits for. */
  onUnread: (() => void) | undefined;
  readonly #stream: Duplex;
  readonly #limits: Limits;
  readonly #decoder: FrameDecoder;
  readonly #drained: (() => void)[] = [];
  readonly #gone: PromiseWithResolvers<void> = Promise.withResolvers();
  #reader: Reader | undefined;
  #timer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #paused = false;
  #closed = false;
  #error: Error | undefined;

  constructor(stream: Duplex, peer: Peer, limits: Limits) {
    this.peer = peer;
    this.#stream = stream;
    this.#limits = limits;
    this.#decoder = new FrameDecoder(limits.frameBytes);
    this.gone = this.#gone.promise;
    stream.on("error", (error) => this.#close(error));
    // A peer that ended its side is gone: what it still has to send has come before.
    stream.on("end", () => this.#close(undefined));
    stream.on("close", () => {
      this.#close(undefined);
      clearTimeout(this.#linger);
      this.#gone.resolve();
    });
    stream.on("drain", () => this.#wake());
    stream.on("data", (chunk: Buffer) => this.#received(chunk));
    if (stream instanceof Socket) stream.setNoDelay(true);
    if (stream.destroyed) {
      this.#close(stream.errored ?? undefined);
      this.#gone.resolve();
    }
  }

  /** Whether the peer is there as far as is known. */
  get open(): boolean {
    return !this.#closed;
  }

  /** Whether bytes came that nobody has read. */
  get unread(): boolean {
    return this.#decoder.size > 0;
  }

  /**
   * The next frame; `undefined` where the peer has closed the connection between two frames. One read at a time.
   *
   * @throws {RpcError} Code.Internal or Code.ResourceExhausted when what comes cannot be a frame; Code.Unavailable when the
   * connection broke, or ended in the middle of a frame.
   */
  async read(): Promise<Frame | undefined> {
    const frame = this.#decode();
    if (frame !== undefined) {
      this.#flow();
      return frame;
    }
    if (this.#closed) return this.#end();
    const reader: Reader = Promise.withResolvers();
    this.#reader = reader;
    this.#flow();
    return reader.promise;
  }

  /** Sends a frame. Does nothing on a closed connection: reading tells of that. */
  write(type: number, trace: Uint8Array, payload: Uint8Array): void {
    if (this.#closed || !this.#stream.writable) return;
    // It may be part of a message that came over another wire, and lie in the socket's queue for a while.
    if (payload.length >= attachBytes) holdBytes(payload);
    const pieces = encodeFrame(type, trace, payload);
    if (pieces.length > 1) this.#stream.cork();
    for (const piece of pieces) this.#stream.write(piece);
    if (pieces.length > 1) this.#stream.uncork();
  }

  /** Waits while the peer takes less than was written, and not on a closed connection. */
  async flushed(): Promise<void> {
    if (this.#closed || !this.#stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /**
   * Closes after what was written is sent. What still comes is read and dropped: a socket that is closed with unread data
   * takes back what it has sent.
   */
  end(): void {
    if (this.#stream.destroyed || this.#linger !== undefined) return;
    this.onClosed = undefined;
    this.#close(undefined);
    this.#stream.end();
    this.#linger = setTimeout(() => this.destroy(), this.#limits.lingerMs);
  }

  /** Whether a process that has nothing else to do waits for this connection. It does at first. */
  holdProcess(holds: boolean): void {
    const stream = this.#stream;
    if (!(stream instanceof Socket)) return;
    if (holds) stream.ref();
    else stream.unref();
  }

  /** Closes at once. @param error Why, for who reads. */
  destroy(error?: Error): void {
    this.#close(error);
    clearTimeout(this.#linger);
    this.#stream.destroy();
    // Streams that are no sockets need not tell of their end (`emitClose: false`).
    if (!(this.#stream instanceof Socket)) process.nextTick(this.#gone.resolve);
  }

  #received(chunk: Buffer): void {
    if (this.#closed) return;
    this.#decoder.push(chunk);
    const reader = this.#reader;
    if (reader === undefined) this.onUnread?.();
    else {
      try {
        const frame = this.#decode();
        if (frame !== undefined) {
          this.#reader = undefined;
          reader.resolve(frame);
        }
      } catch (error) {
        this.#reader = undefined;
        reader.reject(error);
      }
    }
    this.#flow();
  }

  /** The next frame that is there. What is none ends the connection, as nothing after it can be trusted. */
  #decode(): Frame | undefined {
    try {
      const frame = this.#decoder.next();
      if (frame !== undefined) this.#stopTimer();
      return frame;
    } catch (error) {
      const { message, oversize } = error as FrameError;
      const fault = oversize
        ? this.#fault(Code.ResourceExhausted, message, "oversize")
        : this.#fault(Code.Internal, message, "protocol");
      this.destroy(fault);
      throw fault;
    }
  }

  /** Reads on or not, and watches the time of a frame that is under way, which stands still while nothing is read. */
  #flow(): void {
    if (this.#closed) return;
    const paused = this.#reader === undefined && this.#decoder.size >= this.#limits.unreadBytes;
    if (paused !== this.#paused) {
      this.#paused = paused;
      if (paused) this.#stream.pause();
      else this.#stream.resume();
    }
    if (paused || !this.#decoder.partial) this.#stopTimer();
    else this.#timer ??= setTimeout(() => this.#late(), this.#limits.frameMs);
  }

  #late(): void {
    const text = `a frame was not complete after ${this.#limits.frameMs} ms`;
    this.destroy(this.#fault(Code.Unavailable, text, "protocol"));
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#stopTimer();
    this.#wake();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) this.#end().then(reader.resolve, reader.reject);
    // Else the end of a stream of which nobody reads the rest would not come.
    this.#stream.resume();
    this.onClosed?.(error);
  }

  async #end(): Promise<undefined> {
    if (this.#error instanceof RpcError) throw this.#error;
    if (this.#error !== undefined) {
      const text = `the connection broke: ${this.#error.message}`;
      throw this.#fault(Code.Unavailable, text, "connection_closed", this.#error);
    }
    if (this.#decoder.partial) {
      throw this.#fault(Code.Unavailable, "the connection ended in the middle of a frame", "connection_closed");
    }
    return undefined;
  }

  #fault(code: Code, message: string, reason: NonNullable<RpcError["reason"]>, cause?: Error): RpcError {
    return new RpcError(code, message, { peer: this.peer.address, reason, ...(cause !== undefined && { cause }) });
  }

  #wake(): void {
    for (const wake of this.#drained.splice(0)) wake();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
