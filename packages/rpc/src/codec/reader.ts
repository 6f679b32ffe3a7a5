// Reading primitives of the protobuf wire for envelopes that are read by hand. Bounds-checked; never reads past `end`.
import { isUtf8 } from "node:buffer";

/** Bytes that are not what they should be. Transports turn it into a status. */
export class WireError extends Error {
  override get name(): string {
    return "WireError";
  }
}

/** A place in a buffer that reading moves forward. */
export interface Cursor {
  at: number;
}

const maxDepth = 100;

/** Reads a varint and keeps its low 32 bits, unsigned. */
export function readVarint32(bytes: Uint8Array, cursor: Cursor, end: number): number {
  let at = cursor.at;
  let byte = at < end ? (bytes[at++] as number) : truncated(at);
  let value = byte & 0x7f;
  for (let shift = 7; byte > 0x7f; shift += 7) {
    if (shift > 63) throw new WireError(`a varint at offset ${cursor.at} has more than ten bytes`);
    byte = at < end ? (bytes[at++] as number) : truncated(at);
    if (shift < 32) value |= (byte & 0x7f) << shift;
  }
  cursor.at = at;
  return value >>> 0;
}

/** Reads a varint as a signed 64-bit number. Exact up to 2^53, which the callers' bounds stay below. */
export function readVarint64(bytes: Uint8Array, cursor: Cursor, end: number): number {
  let at = cursor.at;
  let low = 0;
  let high = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift > 63) throw new WireError(`a varint at offset ${cursor.at} has more than ten bytes`);
    const byte = at < end ? (bytes[at++] as number) : truncated(at);
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high |= bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte < 0x80) break;
  }
  cursor.at = at;
  return (high | 0) * 0x1_0000_0000 + (low >>> 0);
}

/** Reads a field's tag. Field number 0 is refused, and so are more than 32 bits: cut off they would be another field. */
export function readTag(bytes: Uint8Array, cursor: Cursor, end: number): number {
  const start = cursor.at;
  const tag = readVarint32(bytes, cursor, end);
  const size = cursor.at - start;
  if (size > 4 && (size > 5 || (bytes[cursor.at - 1] as number) > 0x0f)) {
    throw new WireError(`a tag of more than 32 bits at offset ${start}`);
  }
  if (tag >>> 3 === 0) throw new WireError(`field number 0 at offset ${cursor.at}`);
  return tag;
}

/** Passes over the value of a field that is not known. */
export function skipField(bytes: Uint8Array, cursor: Cursor, end: number, tag: number, depth = 0): void {
  const wireType = tag & 7;
  if (wireType === 0) readVarint64(bytes, cursor, end);
  else if (wireType === 1) cursor.at += 8;
  else if (wireType === 5) cursor.at += 4;
  else if (wireType === 2) {
    const size = readVarint32(bytes, cursor, end);
    cursor.at += size;
  } else if (wireType === 3) {
    if (depth >= maxDepth) throw new WireError("groups are nested too deep");
    for (;;) {
      const inner = readTag(bytes, cursor, end);
      if ((inner & 7) === 4) {
        if (inner >>> 3 !== tag >>> 3) throw new WireError("a group ends with another number than it began");
        break;
      }
      skipField(bytes, cursor, end, inner, depth + 1);
    }
  } else throw new WireError(`wire type ${wireType} of field ${tag >>> 3} is not valid here`);
  if (cursor.at > end) truncated(end);
}

/** Reads UTF-8 text and refuses bytes that are none. */
export function utf8Text(bytes: Buffer, start: number, end: number): string {
  // Short ASCII text, the usual case, needs no look at validity beyond its bytes.
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) > 0x7f) {
      if (!isUtf8(bytes.subarray(start, end))) throw new WireError("string field contains invalid UTF-8");
      return bytes.toString("utf8", start, end);
    }
  }
  return bytes.toString("latin1", start, end);
}

function truncated(at: number): never {
  throw new WireError(`truncated at offset ${at}`);
}
