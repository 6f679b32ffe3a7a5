// Cuts received bytes into frames. No socket, no timer; holds no more memory than about twice what was received.
import { type Frame, FrameError, fixedBytes, lengthBytes } from "./frame.js";

const nothing: Buffer = Buffer.alloc(0);

/**
 * Takes chunks in any cut and gives frames in order. Chunks must not be written to afterwards, as frames are views of them.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  // What is received and not given out: #buffer[#start..#end). Own memory may be appended to, a chunk of the socket not.
  #buffer: Buffer = nothing;
  #start = 0;
  #end = 0;
  #own = false;

  /** @param maxBytes The longest frame, as its length field counts. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes wait. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Whether what waits is a part of a frame and no whole one. */
  get partial(): boolean {
    if (this.size === 0) return false;
    return this.size < lengthBytes || this.size < lengthBytes + this.#buffer.readUInt32BE(this.#start);
  }

  /** Takes bytes that were received. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.size === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#own = false;
      return;
    }
    if (!this.#own || this.#buffer.length - this.#end < chunk.length) this.#grow(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /**
   * Gives the next frame, or `undefined` where it is not whole yet.
   *
   * @throws {FrameError} when its length is impossible or over the limit, as soon as the length is there.
   */
  next(): Frame | undefined {
    if (this.size < lengthBytes) return undefined;
    const length = this.#buffer.readUInt32BE(this.#start);
    if (length < fixedBytes) {
      throw new FrameError(`a frame of ${length} bytes came; its number and trace length take ${fixedBytes}`);
    }
    if (length > this.#maxBytes) {
      throw new FrameError(`a frame of ${length} bytes came, over the limit of ${this.#maxBytes}`, true);
    }
    if (this.size < lengthBytes + length) return undefined;
    const start = this.#start + lengthBytes;
    const end = start + length;
    const frame = readBody(this.#buffer, start, end);
    this.#start = end;
    if (this.size === 0) this.#buffer = nothing;
    return frame;
  }

  /** Moves what waits into memory with room for as much more: doubling, so that many small chunks cost no more than few. */
  #grow(more: number): void {
    const needed = this.size + more;
    const whole = this.size < lengthBytes ? needed : lengthBytes + this.#buffer.readUInt32BE(this.#start);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(whole, needed * 2)));
    grown.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end = this.size;
    this.#start = 0;
    this.#buffer = grown;
    this.#own = true;
  }
}

/** Cuts a body. A trace that would be longer than the body is read as real agents do: no trace and no payload. */
function readBody(bytes: Buffer, start: number, end: number): Frame {
  const type = bytes.readUInt32BE(start);
  const traceStart = start + fixedBytes;
  const traceEnd = traceStart + bytes.readUInt16BE(start + 4);
  if (traceEnd > end) return { type, trace: nothing, payload: nothing };
  return { type, trace: bytes.subarray(traceStart, traceEnd), payload: bytes.subarray(traceEnd, end) };
}
