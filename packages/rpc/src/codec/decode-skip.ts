// Tags, and what to do with fields that the message type does not have: pass over them, or keep them. Reads no known field.
import { DecodeFault, truncated } from "./codec-error.js";
import { BIT32, BIT64, DELIMITED, GROUP_END, GROUP_START, RECURSION_LIMIT, VARINT } from "./constants.js";
import { cursor, type FieldReader, type Fields } from "./cursor.js";
import { readUint32, takeBytes } from "./read-scalar.js";

/** Reads a tag and refuses what is none: over 32 bits, field number 0, wire types 6 and 7. */
export function readTag(bytes: Uint8Array, at: number, end: number): number {
  const tag = readUint32(bytes, at, end);
  const size = cursor.at - at;
  if (size > 5 || (size === 5 && (bytes[cursor.at - 1] as number) > 0x0f))
    throw new DecodeFault("tag over 32 bits", at);
  if (tag >>> 3 === 0 || (tag & 7) > BIT32) throw illegalTag(tag, at);
  return tag;
}

/** The reader of tags that are none. */
export const refused: FieldReader = { direct: 0, name: "", strict: false, read: refuseTag };

function refuseTag(_message: Fields, _bytes: Uint8Array, at: number, _end: number, tag: number): number {
  throw illegalTag(tag, at - 1);
}

function illegalTag(tag: number, at: number): DecodeFault {
  return new DecodeFault(`illegal tag (field ${tag >>> 3}, wire type ${tag & 7})`, at);
}

/** The reader of fields that the message type does not have. */
export const skipped: FieldReader = { direct: 0, name: "", strict: false, read: skipField };

function skipField(message: Fields, bytes: Uint8Array, at: number, end: number, tag: number): number {
  const next = skip(bytes, at, end, tag, RECURSION_LIMIT - cursor.depth);
  if (cursor.keepUnknown) keepField(message, tag, takeBytes(bytes, at, next - at));
  return next;
}

/** Adds to a message's unknown fields. */
export function keepField(message: Fields, tag: number, data: Uint8Array): void {
  message["$unknown"] ??= [];
  (message["$unknown"] as unknown[]).push({ no: tag >>> 3, wireType: tag & 7, data });
}

/**
 * Gives the offset behind a field's value.
 *
 * @param budget How many groups may still be opened.
 */
export function skip(bytes: Uint8Array, at: number, end: number, tag: number, budget: number): number {
  let next = at;
  switch (tag & 7) {
    case VARINT:
      // Any length, as in protobuf-es.
      while (next < end && (bytes[next] as number) > 0x7f) next++;
      next++;
      break;
    case BIT64:
      next += 8;
      break;
    case BIT32:
      next += 4;
      break;
    case DELIMITED: {
      const length = readUint32(bytes, at, end);
      next = cursor.at + length;
      break;
    }
    case GROUP_START:
      next = skipGroup(bytes, at, end, tag >>> 3, budget);
      break;
    default:
      throw new DecodeFault("end of a group that was not begun", at);
  }
  if (next > end) throw truncated(end);
  return next;
}

function skipGroup(bytes: Uint8Array, at: number, end: number, number: number, budget: number): number {
  if (budget <= 0) throw tooDeep(at);
  for (;;) {
    const tag = readTag(bytes, at, end);
    if ((tag & 7) === GROUP_END) {
      if (tag >>> 3 !== number) throw new DecodeFault("end of another group", at);
      return cursor.at;
    }
    at = skip(bytes, cursor.at, end, tag, budget - 1);
  }
}

/** The fault of messages that lie too deep in each other. */
export function tooDeep(at: number): DecodeFault {
  return new DecodeFault(`more than ${RECURSION_LIMIT} messages in each other`, at);
}
