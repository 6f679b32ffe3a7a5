// A growing output buffer that encoders write into in place. No I/O and no protobuf beyond length-delimited nesting.
import { holdBytes } from "../message-memory.js";

/** Bytes that go on the wire at `at` without having been copied. */
export interface Attachment {
  /** The offset in the sink's buffer before which the data belongs. */
  at: number;
  /** The data; must not change until it is sent. */
  readonly data: Uint8Array;
}

/** From this size on, `bytes` are sent as a segment of their own: below it, a copy is cheaper than one more segment. */
export const attachBytes: number = 4096;

/** An output buffer. `buffer[0..at)` and the attachments between are what was written. */
export class Sink {
  /** The memory written into; replaced by a larger one when it is full, so read it anew after `ensure`. */
  buffer: Buffer;
  /** The next offset to write to. */
  at = 0;
  /** The sum of the sizes of all attachments. */
  attached = 0;
  /** Data that lies outside of the buffer, in order of `at`. */
  readonly attachments: Attachment[] = [];

  /** @param buffer Memory to begin with; its content is overwritten. */
  constructor(buffer: Buffer = Buffer.allocUnsafeSlow(512)) {
    this.buffer = buffer;
  }

  /** The number of bytes written, attachments included. */
  get length(): number {
    return this.at + this.attached;
  }

  /** Makes room for `size` more bytes at `at`; keeps what was written. */
  ensure(size: number): void {
    if (this.at + size > this.buffer.length) this.grow(size);
  }

  /** Begins a length-delimited part: leaves one byte for its length. Give the result to {@link Sink.close}. */
  open(): number {
    this.ensure(1);
    return this.at++;
  }

  /**
   * Ends a length-delimited part: writes its length in front, moving the part where the length needs more than one byte.
   *
   * @param mark What {@link Sink.open} gave.
   * @param attachedBefore {@link Sink.attached} at that time.
   */
  close(mark: number, attachedBefore: number): void {
    const size = this.at - mark - 1 + (this.attached - attachedBefore);
    if (size < 0x80) this.buffer[mark] = size;
    else this.#closeLong(mark, size);
  }

  /** Writes an unsigned 32-bit varint. */
  uint32(value: number): void {
    this.ensure(5);
    const buffer = this.buffer;
    let at = this.at;
    while (value > 0x7f) {
      buffer[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buffer[at++] = value;
    this.at = at;
  }

  /** Writes bytes as they are: copied when small, attached from {@link attachBytes} on. */
  raw(data: Uint8Array): void {
    if (data.length >= attachBytes) {
      holdBytes(data);
      this.attachments.push({ at: this.at, data });
      this.attached += data.length;
      return;
    }
    const size = data.length;
    this.ensure(size);
    // A call of `set` costs as much as copying some 40 bytes one by one.
    if (size <= 40) {
      const buffer = this.buffer;
      const at = this.at;
      for (let i = 0; i < size; i++) buffer[at + i] = data[i] as number;
    } else this.buffer.set(data, this.at);
    this.at += size;
  }

  /** Takes back everything after an earlier state of the sink. */
  rollback(at: number, attachments: number, attached: number): void {
    this.at = at;
    // Setting a length calls into the engine even when it is the same.
    if (this.attachments.length !== attachments) this.attachments.length = attachments;
    this.attached = attached;
  }

  /** Copies what was written from offset `from` on into one new array; attachments are taken in. */
  toBytes(from = 0): Uint8Array {
    if (this.attachments.length === 0) {
      // Not `slice`: a Buffer's slice is a Buffer.
      const copy = new Uint8Array(this.at - from);
      copy.set(this.buffer.subarray(from, this.at));
      return copy;
    }
    const out = new Uint8Array(this.length - from);
    let read = from;
    let write = 0;
    for (const { at, data } of this.attachments) {
      out.set(this.buffer.subarray(read, at), write);
      write += at - read;
      out.set(data, write);
      write += data.length;
      read = at;
    }
    out.set(this.buffer.subarray(read, this.at), write);
    return out;
  }

  #closeLong(mark: number, size: number): void {
    const extra = size < 0x4000 ? 1 : size < 0x200000 ? 2 : size < 0x10000000 ? 3 : 4;
    this.ensure(extra);
    this.buffer.copyWithin(mark + 1 + extra, mark + 1, this.at);
    for (let i = this.attachments.length - 1; i >= 0; i--) {
      const attachment = this.attachments[i] as Attachment;
      if (attachment.at <= mark) break;
      attachment.at += extra;
    }
    this.at += extra;
    // Not `uint32`, which may make room and then keeps only what lies before the place it writes to.
    const buffer = this.buffer;
    let rest = size;
    for (; rest > 0x7f; rest >>>= 7) buffer[mark++] = (rest & 0x7f) | 0x80;
    buffer[mark] = rest;
  }

  /** Replaces the buffer by a larger one; what was written moves with it. */
  protected grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + size));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }
}
