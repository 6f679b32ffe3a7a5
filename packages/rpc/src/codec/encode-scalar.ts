// Chooses the writer of a scalar type and binds it to a field's tag. Decides nothing about presence.
import * as c from "./constants.js";
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

/** The tag of a field: its number and a wire type. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}
