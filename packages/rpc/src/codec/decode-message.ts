// Decodes a message by its plan: a reader per field, found by the tag. How a plan comes about is decode.ts.
import type { DescMessage } from "@bufbuild/protobuf";
import { DecodeFault, truncated } from "./codec-error.js";
import { BIT32, BIT64, DELIMITED, GROUP_END, GROUP_START, RECURSION_LIMIT, VARINT } from "./constants.js";
import { cursor, type Fields, type ReadField } from "./cursor.js";
import { readUint32, takeBytes } from "./read-scalar.js";

/** The readers of one message type. */
export interface Readers {
  /** By the tag, for tags of one byte: also says what is no tag and what is no known field. */
  readonly byTag: readonly ReadField[];
  /** By field number. */
  readonly byNumber: ReadonlyMap<number, ReadField>;
}

/** How to decode one message type. */
export interface DecodePlan {
  readonly desc: DescMessage;
  /** Makes a message with no field set. */
  readonly zero: () => Fields;
  /** Undefined until first used, so that a type costs nothing before. */
  readers: Readers | undefined;
  /** Makes {@link DecodePlan.readers}. */
  readonly compile: () => Readers;
}

/** Gives the plan of a message type, compiled or not. */
export type PlanOf = (desc: DescMessage) => DecodePlan;

/**
 * Reads fields into a message until `stop`. Like protobuf-es, lets the last field run past `stop`, within `end`.
 *
 * @param end The end of the outermost message: nothing is read behind it.
 * @returns The offset behind the last field.
 */
export function readMessage(
  plan: DecodePlan,
  message: Fields,
  bytes: Uint8Array,
  at: number,
  stop: number,
  end: number,
): number {
  if (stop > end) throw truncated(end);
  if (++cursor.depth > RECURSION_LIMIT) throw tooDeep(at);
  const readers = plan.readers ?? prepare(plan);
  const byTag = readers.byTag;
  let start = at;
  try {
    while (at < stop) {
      start = at;
      const tag = bytes[at] as number;
      // Fields up to 15 have tags of one byte: no number to put together, nothing to look up in a map.
      if (tag < 0x80) at = (byTag[tag] as ReadField)(message, bytes, at + 1, end, tag);
      else at = readLongTagged(readers, message, bytes, at, end);
    }
  } catch (error) {
    throw within(plan, error, bytes, start, end);
  }
  cursor.depth--;
  return at;
}

/** Reads fields into a message until the group's end. */
export function readGroup(
  plan: DecodePlan,
  message: Fields,
  bytes: Uint8Array,
  at: number,
  end: number,
  number: number,
): number {
  if (++cursor.depth > RECURSION_LIMIT) throw tooDeep(at);
  const readers = plan.readers ?? prepare(plan);
  let start = at;
  try {
    for (;;) {
      start = at;
      const tag = readTag(bytes, at, end);
      at = cursor.at;
      if ((tag & 7) === GROUP_END) {
        if (tag >>> 3 !== number) throw new DecodeFault("end of another group", start);
        break;
      }
      at = (readers.byNumber.get(tag >>> 3) ?? skipField)(message, bytes, at, end, tag);
    }
  } catch (error) {
    throw within(plan, error, bytes, start, end);
  }
  cursor.depth--;
  return at;
}

function prepare(plan: DecodePlan): Readers {
  plan.readers = plan.compile();
  return plan.readers;
}

function readLongTagged(readers: Readers, message: Fields, bytes: Uint8Array, at: number, end: number): number {
  const tag = readTag(bytes, at, end);
  return (readers.byNumber.get(tag >>> 3) ?? skipField)(message, bytes, cursor.at, end, tag);
}

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
export function refuseTag(_message: Fields, _bytes: Uint8Array, at: number, _end: number, tag: number): number {
  throw illegalTag(tag, at - 1);
}

function illegalTag(tag: number, at: number): DecodeFault {
  return new DecodeFault(`illegal tag (field ${tag >>> 3}, wire type ${tag & 7})`, at);
}

/** The reader of fields that the message type does not have. */
export function skipField(message: Fields, bytes: Uint8Array, at: number, end: number, tag: number): number {
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

function tooDeep(at: number): DecodeFault {
  return new DecodeFault(`more than ${RECURSION_LIMIT} messages in each other`, at);
}

/** Notes on a fault which field of the message it happened in. */
function within(plan: DecodePlan, error: unknown, bytes: Uint8Array, start: number, end: number): unknown {
  if (!(error instanceof DecodeFault)) return error;
  try {
    const number = readTag(bytes, start, end) >>> 3;
    const field = plan.desc.fields.find((f) => f.number === number);
    error.path.push(field?.name ?? `#${number}`);
  } catch {
    // The tag itself is what is wrong.
  }
  return error;
}
