// Chooses the writer of a scalar type and binds it to a field's tag. Decides nothing about presence.
import * as c from "./constants.js";
import { isLong } from "./scalar.js";
import type { Sink } from "./sink.js";
import * as w from "./write-scalar.js";

/** Writes one value, with whatever goes in front of it. */
export type WriteValue = (sink: Sink, value: unknown) => void;

/**
 * The writer of a scalar's values.
 *
 * @param tag The tag in front of each value; 0 for none, as in packed lists.
 * @param label What errors call the field.
 */
export function scalarWriter(scalar: number, tag: number, label: string): WriteValue {
  // One small closure per type, so that the engine inlines the writer into it: a table of writers would cost a call.
  switch (scalar) {
    case c.STRING:
      return (sink, value) => w.writeString(sink, tag, value, label);
    case c.BYTES:
      return (sink, value) => w.writeBytes(sink, tag, value, label);
    case c.BOOL:
      return (sink, value) => w.writeBool(sink, tag, value, label);
    case c.INT32:
      return (sink, value) => w.writeInt32(sink, tag, value, label);
    case c.UINT32:
      return (sink, value) => w.writeUint32(sink, tag, value, label);
    case c.SINT32:
      return (sink, value) => w.writeSint32(sink, tag, value, label);
    case c.FIXED32:
      return (sink, value) => w.writeFixed32(sink, tag, value, label);
    case c.SFIXED32:
      return (sink, value) => w.writeSfixed32(sink, tag, value, label);
    case c.INT64:
      return (sink, value) => w.writeInt64(sink, tag, value, label);
    case c.UINT64:
      return (sink, value) => w.writeUint64(sink, tag, value, label);
    case c.SINT64:
      return (sink, value) => w.writeSint64(sink, tag, value, label);
    case c.FIXED64:
      return (sink, value) => w.writeFixed64(sink, tag, value, label);
    case c.SFIXED64:
      return (sink, value) => w.writeSfixed64(sink, tag, value, label);
    case c.FLOAT:
      return (sink, value) => w.writeFloat(sink, tag, value, label);
    case c.DOUBLE:
      return (sink, value) => w.writeDouble(sink, tag, value, label);
    default:
      throw new Error(`unknown scalar type ${scalar}`);
  }
}

/** The writer of an enum without presence: writes nothing for the enum's first number. */
export function implicitEnumWriter(first: number, tag: number, label: string): WriteValue {
  return (sink, value) => {
    if (value !== first) w.writeInt32(sink, tag, value, label);
  };
}

/** The writer of a scalar without presence: writes nothing for zero. */
export function implicitWriter(scalar: number, tag: number, label: string): WriteValue {
  switch (scalar) {
    case c.STRING:
      return (sink, value) => {
        // Not compared with "", which is a call; a length is a load.
        if (typeof value !== "string" || value.length !== 0) w.writeString(sink, tag, value, label);
      };
    case c.BYTES:
      return (sink, value) => {
        if (isEmpty(value)) w.refuseDetached(value, label);
        else w.writeBytes(sink, tag, value, label);
      };
    case c.BOOL:
      return (sink, value) => {
        if (value !== false) w.writeBool(sink, tag, value, label);
      };
    case c.INT32:
      return (sink, value) => {
        if (value !== 0 && !isZeroText(value)) w.writeInt32(sink, tag, value, label);
      };
    case c.UINT32:
      return (sink, value) => {
        if (value !== 0 && !isZeroText(value)) w.writeUint32(sink, tag, value, label);
      };
    case c.INT64:
      return (sink, value) => {
        if (!isZeroLong(value)) w.writeInt64(sink, tag, value, label);
      };
    case c.UINT64:
      return (sink, value) => {
        if (!isZeroLong(value)) w.writeUint64(sink, tag, value, label);
      };
    case c.FLOAT:
    case c.DOUBLE:
      // -0 is not zero here.
      return unless((value) => Object.is(value, 0), scalarWriter(scalar, tag, label));
    default:
      return unless(
        isLong(scalar) ? isZeroLong : (value) => value === 0 || isZeroText(value),
        scalarWriter(scalar, tag, label),
      );
  }
}

function unless(isZero: (value: unknown) => boolean, write: WriteValue): WriteValue {
  return (sink, value) => {
    if (!isZero(value)) write(sink, value);
  };
}

function isEmpty(value: unknown): boolean {
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}

/** Like protobuf-es, takes a number of any of the forms that can be written: a long may be 0n, 0 or "0". */
function isZeroLong(value: unknown): boolean {
  return typeof value === "bigint" ? value === 0n : value === 0 || isZeroText(value);
}

function isZeroText(value: unknown): boolean {
  return typeof value === "string" && Number(value) === 0;
}

/** The tag of a field: its number and a wire type. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}
