// Writes single values of the scalar types, each after its tag (0: no tag). Knows no messages.
// Every function takes the field's label, for the error of a value that does not fit.
import { encodeError, valueError } from "./codec-error.js";
import { split, splitLong } from "./long.js";
import type { Sink } from "./sink.js";

/** Text up to this length is written character by character (2 ns each): a call into Node costs 40 ns, or 70 ns for joined strings. */
const SHORT_TEXT = 20;
/** From this length on, text is measured before it is written, instead of making room for the worst case of three bytes. */
const LONG_TEXT = 1024;

const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

/** Writes a varint of up to 32 bits at `at` and gives the offset behind it; nothing for the tag 0, which no field has. */
export function putTag(buffer: Uint8Array, at: number, tag: number): number {
  if (tag < 0x80) {
    if (tag === 0) return at;
    buffer[at] = tag;
    return at + 1;
  }
  return putVarint(buffer, at, tag);
}

/** Writes an unsigned varint of up to 32 bits. */
export function putVarint(buffer: Uint8Array, at: number, value: number): number {
  while (value > 0x7f) {
    buffer[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  buffer[at++] = value;
  return at;
}

/** Writes a varint of 64 bits, given as two halves. */
export function putLong(buffer: Uint8Array, at: number, low: number, high: number): number {
  while (high !== 0) {
    buffer[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  return putVarint(buffer, at, low);
}

export function writeString(sink: Sink, tag: number, value: unknown, label: string): void {
  if (typeof value !== "string") throw valueError(label, "string", value);
  const length = value.length;
  if (length <= SHORT_TEXT) {
    sink.ensure(length + 6);
    const buffer = sink.buffer;
    let at = putTag(buffer, sink.at, tag);
    buffer[at++] = length;
    let i = 0;
    for (; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) break;
      buffer[at++] = code;
    }
    if (i === length) {
      sink.at = at;
      return;
    }
  }
  writeText(sink, tag, value, length);
}

function writeText(sink: Sink, tag: number, value: string, length: number): void {
  const most = length < LONG_TEXT ? length * 3 : Buffer.byteLength(value);
  sink.ensure(most + 10);
  const buffer = sink.buffer;
  const start = putTag(buffer, sink.at, tag);
  // The length goes in front but is known only afterwards: room is left for that of ASCII text, which is rarely wrong.
  const guessed = varintSize(length);
  // Replaces lone surrogates by U+FFFD, as TextEncoder does.
  const written = buffer.write(value, start + guessed);
  const size = varintSize(written);
  if (size !== guessed) buffer.copyWithin(start + size, start + guessed, start + guessed + written);
  putVarint(buffer, start, written);
  sink.at = start + size + written;
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

export function writeBytes(sink: Sink, tag: number, value: unknown, label: string): void {
  const data = value instanceof Uint8Array ? value : toBytes(value, label);
  if (data.length === 0) refuseDetached(data, label);
  sink.ensure(10);
  const buffer = sink.buffer;
  sink.at = putVarint(buffer, putTag(buffer, sink.at, tag), data.length);
  sink.raw(data);
}

/** Bytes whose memory was given back (`releaseBytes`) or transferred look empty, and must not be sent as if they were. */
export function refuseDetached(value: unknown, label: string): void {
  if (!(value instanceof Uint8Array)) return;
  try {
    // Any method tells. Not `buffer`, which makes an ArrayBuffer of memory that has none yet.
    value.at(0);
  } catch {
    throw encodeError(label, "the memory of these bytes was given back or transferred");
  }
}

/** Takes an init's `number[]`, and byte arrays of another realm. */
function toBytes(value: unknown, label: string): Uint8Array {
  if (Array.isArray(value)) return new Uint8Array(value);
  if (ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === "Uint8Array")
    return value as Uint8Array;
  throw valueError(label, "Uint8Array", value);
}

export function writeBool(sink: Sink, tag: number, value: unknown, label: string): void {
  if (typeof value !== "boolean") throw valueError(label, "boolean", value);
  sink.ensure(6);
  const buffer = sink.buffer;
  const at = putTag(buffer, sink.at, tag);
  buffer[at] = value ? 1 : 0;
  sink.at = at + 1;
}

/** Also writes enums: an `int32` on the wire. */
export function writeInt32(sink: Sink, tag: number, value: unknown, label: string): void {
  // `value | 0` is `value` for the 32-bit integers alone (and -0, which is 0 on the wire).
  const number = typeof value === "number" && (value | 0) === value ? value : toInt32(value, "int32", label);
  sink.ensure(15);
  const buffer = sink.buffer;
  const at = putTag(buffer, sink.at, tag);
  sink.at = number >= 0 ? putVarint(buffer, at, number) : putLong(buffer, at, number >>> 0, 0xffffffff);
}

export function writeUint32(sink: Sink, tag: number, value: unknown, label: string): void {
  const number = typeof value === "number" && value >>> 0 === value ? value : toUint32(value, "uint32", label);
  sink.ensure(10);
  const buffer = sink.buffer;
  sink.at = putVarint(buffer, putTag(buffer, sink.at, tag), number);
}

export function writeSint32(sink: Sink, tag: number, value: unknown, label: string): void {
  const number = toInt32(value, "sint32", label);
  sink.ensure(10);
  const buffer = sink.buffer;
  sink.at = putVarint(buffer, putTag(buffer, sink.at, tag), ((number << 1) ^ (number >> 31)) >>> 0);
}

export function writeFixed32(sink: Sink, tag: number, value: unknown, label: string): void {
  scratchView.setUint32(0, toUint32(value, "fixed32", label), true);
  copyScratch(sink, tag, 4);
}

export function writeSfixed32(sink: Sink, tag: number, value: unknown, label: string): void {
  scratchView.setInt32(0, toInt32(value, "sfixed32", label), true);
  copyScratch(sink, tag, 4);
}

export function writeFloat(sink: Sink, tag: number, value: unknown, label: string): void {
  const number = toNumber(value);
  if (number === undefined || (Number.isFinite(number) && !Number.isFinite(Math.fround(number)))) {
    throw valueError(label, "float", value);
  }
  scratchView.setFloat32(0, number, true);
  copyScratch(sink, tag, 4);
}

export function writeDouble(sink: Sink, tag: number, value: unknown, label: string): void {
  const number = toNumber(value);
  if (number === undefined) throw valueError(label, "double", value);
  scratchView.setFloat64(0, number, true);
  copyScratch(sink, tag, 8);
}

export function writeInt64(sink: Sink, tag: number, value: unknown, label: string): void {
  toHalves(value, true, "int64", label);
  sink.ensure(15);
  const buffer = sink.buffer;
  sink.at = putLong(buffer, putTag(buffer, sink.at, tag), split.low, split.high);
}

export function writeUint64(sink: Sink, tag: number, value: unknown, label: string): void {
  toHalves(value, false, "uint64", label);
  sink.ensure(15);
  const buffer = sink.buffer;
  sink.at = putLong(buffer, putTag(buffer, sink.at, tag), split.low, split.high);
}

export function writeSint64(sink: Sink, tag: number, value: unknown, label: string): void {
  toHalves(value, true, "sint64", label);
  const sign = split.high >> 31;
  const low = ((split.low << 1) ^ sign) >>> 0;
  const high = (((split.high << 1) | (split.low >>> 31)) ^ sign) >>> 0;
  sink.ensure(15);
  const buffer = sink.buffer;
  sink.at = putLong(buffer, putTag(buffer, sink.at, tag), low, high);
}

export function writeFixed64(sink: Sink, tag: number, value: unknown, label: string): void {
  toHalves(value, false, "fixed64", label);
  putHalves(sink, tag);
}

export function writeSfixed64(sink: Sink, tag: number, value: unknown, label: string): void {
  toHalves(value, true, "sfixed64", label);
  putHalves(sink, tag);
}

function putHalves(sink: Sink, tag: number): void {
  scratchView.setUint32(0, split.low, true);
  scratchView.setUint32(4, split.high, true);
  copyScratch(sink, tag, 8);
}

function copyScratch(sink: Sink, tag: number, size: number): void {
  sink.ensure(13);
  const buffer = sink.buffer;
  const at = putTag(buffer, sink.at, tag);
  for (let i = 0; i < size; i++) buffer[at + i] = scratch[i] as number;
  sink.at = at + size;
}

// protobuf-es takes numbers in the form of text too, where it checks the range; so do these.

function toNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return undefined;
  const number = Number(value);
  return Number.isNaN(number) && value !== "NaN" ? undefined : number;
}

function toInt32(value: unknown, type: string, label: string): number {
  const number = toNumber(value);
  if (number === undefined || (number | 0) !== number) throw valueError(label, type, value);
  return number;
}

function toUint32(value: unknown, type: string, label: string): number {
  const number = toNumber(value);
  if (number === undefined || number >>> 0 !== number) throw valueError(label, type, value);
  return number;
}

function toHalves(value: unknown, signed: boolean, type: string, label: string): void {
  const long = typeof value === "bigint" ? value : toBigInt(value);
  if (long === undefined || !splitLong(long, signed)) throw valueError(label, type, value);
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  try {
    return BigInt(value);
  } catch {
    return undefined;
  }
}
