// Reads single values of the scalar types at an offset, never past `end`, and leaves `cursor.at` behind them. Knows no messages.
import { isUtf8 } from "node:buffer";
import { DecodeFault, truncated } from "./codec-error.js";
import { cursor } from "./cursor.js";
import { joinSigned, joinUnsigned } from "./long.js";
import { shortText } from "./short-text.js";

const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

/** Decodes UTF-8 of any byte array; bytes that are none become U+FFFD. Quicker than TextDecoder, which makes a view first. */
const utf8Slice = (Buffer.prototype as unknown as { utf8Slice: (this: Uint8Array, from: number, to: number) => string })
  .utf8Slice;

/** Reads an unsigned varint of 32 bits; like protobuf-es, takes up to ten bytes and drops the higher bits. */
export function readUint32(bytes: Uint8Array, at: number, end: number): number {
  if (at < end) {
    const first = bytes[at] as number;
    if (first < 0x80) {
      cursor.at = at + 1;
      return first;
    }
  }
  return readLongUint32(bytes, at, end);
}

function readLongUint32(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) throw truncated(at);
    const byte = bytes[at++] as number;
    if (shift < 28) value |= (byte & 0x7f) << shift;
    else if (shift === 28) value |= (byte & 0x0f) << 28;
    if (byte < 0x80) {
      cursor.at = at;
      return value >>> 0;
    }
  }
  throw new DecodeFault("varint of more than 10 bytes", at);
}

export function readInt32(bytes: Uint8Array, at: number, end: number): number {
  return readUint32(bytes, at, end) | 0;
}

export function readSint32(bytes: Uint8Array, at: number, end: number): number {
  const value = readUint32(bytes, at, end);
  return (value >>> 1) ^ -(value & 1);
}

/** The upper half of the last varint that {@link readHalves} read. */
let high = 0;

/** Reads a varint of 64 bits: gives its lower half and leaves the upper one in `high`. */
function readHalves(bytes: Uint8Array, at: number, end: number): number {
  let low = 0;
  high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) throw truncated(at);
    const byte = bytes[at++] as number;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >> 4;
    } else high |= bits << (shift - 32);
    if (byte < 0x80) {
      cursor.at = at;
      return low;
    }
  }
  throw new DecodeFault("varint of more than 10 bytes", at);
}

export function readInt64(bytes: Uint8Array, at: number, end: number): bigint {
  const low = readHalves(bytes, at, end);
  return joinSigned(low, high);
}

export function readUint64(bytes: Uint8Array, at: number, end: number): bigint {
  const low = readHalves(bytes, at, end);
  return joinUnsigned(low, high);
}

export function readSint64(bytes: Uint8Array, at: number, end: number): bigint {
  const low = readHalves(bytes, at, end);
  const sign = -(low & 1);
  return joinSigned(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign);
}

export function readBool(bytes: Uint8Array, at: number, end: number): boolean {
  const low = readHalves(bytes, at, end);
  return low !== 0 || high !== 0;
}

export function readFixed32(bytes: Uint8Array, at: number, end: number): number {
  return readSfixed32(bytes, at, end) >>> 0;
}

export function readSfixed32(bytes: Uint8Array, at: number, end: number): number {
  const next = at + 4;
  if (next > end) throw truncated(at);
  cursor.at = next;
  return half(bytes, at);
}

export function readFixed64(bytes: Uint8Array, at: number, end: number): bigint {
  const next = at + 8;
  if (next > end) throw truncated(at);
  cursor.at = next;
  return joinUnsigned(half(bytes, at), half(bytes, at + 4));
}

export function readSfixed64(bytes: Uint8Array, at: number, end: number): bigint {
  const next = at + 8;
  if (next > end) throw truncated(at);
  cursor.at = next;
  return joinSigned(half(bytes, at), half(bytes, at + 4));
}

export function readFloat(bytes: Uint8Array, at: number, end: number): number {
  scratchView.setInt32(0, readSfixed32(bytes, at, end), true);
  return scratchView.getFloat32(0, true);
}

export function readDouble(bytes: Uint8Array, at: number, end: number): number {
  const next = at + 8;
  if (next > end) throw truncated(at);
  cursor.at = next;
  scratchView.setInt32(0, half(bytes, at), true);
  scratchView.setInt32(4, half(bytes, at + 4), true);
  return scratchView.getFloat64(0, true);
}

function half(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Reads text; `strict` refuses what is not UTF-8, otherwise it becomes U+FFFD. */
export function readString(bytes: Uint8Array, at: number, end: number, strict: boolean): string {
  const length = readUint32(bytes, at, end);
  const start = cursor.at;
  const next = start + length;
  if (next > end) throw truncated(end);
  cursor.at = next;
  const short = shortText(bytes, start, length);
  if (short !== undefined) return short;
  const text = utf8Slice.call(bytes, start, next);
  // Valid text may have U+FFFD of its own, so only then are the bytes looked at again.
  if (strict && text.includes("\ufffd") && !isUtf8(bytes.subarray(start, next))) {
    throw new DecodeFault("invalid UTF-8", start);
  }
  return text;
}

/** Up to this size bytes are always copied: that costs no more than a view. */
const SMALL = 64;

/** Reads bytes: a plain array of its own, or a view when it is at least a quarter of the memory that it would keep alive. */
export function readBytes(bytes: Uint8Array, at: number, end: number): Uint8Array {
  const length = readUint32(bytes, at, end);
  const start = cursor.at;
  const next = start + length;
  if (next > end) throw truncated(end);
  cursor.at = next;
  return takeBytes(bytes, start, length);
}

/** A part of an array, copied or viewed as {@link readBytes} does. */
export function takeBytes(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (length <= SMALL) {
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i++) copy[i] = bytes[start + i] as number;
    return copy;
  }
  if (length * 4 >= bytes.buffer.byteLength) return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
  // Out of Node's own pool of 8 KiB blocks: memory of its own would cost 1.1 µs, as V8 keeps it outside of its heap.
  const pooled = Buffer.allocUnsafe(length);
  const copy = new Uint8Array(pooled.buffer, pooled.byteOffset, length);
  copy.set(bytes.subarray(start, start + length));
  return copy;
}
