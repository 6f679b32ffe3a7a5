// Chooses the reader of a scalar type. Stores nothing.
import * as c from "./constants.js";
import type { ReadValue } from "./cursor.js";
import * as r from "./read-scalar.js";

/**
 * The reader of a scalar's values.
 *
 * @param strict Whether text must be valid UTF-8.
 * @param longAsString Whether 64-bit integers are wanted as text.
 */
export function scalarReader(scalar: number, strict: boolean, longAsString: boolean): ReadValue {
  const read = plainReader(scalar, strict);
  return longAsString ? (bytes, at, end) => String(read(bytes, at, end)) : read;
}

function plainReader(scalar: number, strict: boolean): ReadValue {
  switch (scalar) {
    case c.STRING:
      return (bytes, at, end) => r.readString(bytes, at, end, strict);
    case c.BYTES:
      return r.readBytes;
    case c.BOOL:
      return r.readBool;
    case c.INT32:
      return r.readInt32;
    case c.UINT32:
      return r.readUint32;
    case c.SINT32:
      return r.readSint32;
    case c.FIXED32:
      return r.readFixed32;
    case c.SFIXED32:
      return r.readSfixed32;
    case c.INT64:
      return r.readInt64;
    case c.UINT64:
      return r.readUint64;
    case c.SINT64:
      return r.readSint64;
    case c.FIXED64:
      return r.readFixed64;
    case c.SFIXED64:
      return r.readSfixed64;
    case c.FLOAT:
      return r.readFloat;
    case c.DOUBLE:
      return r.readDouble;
    default:
      throw new Error(`unknown scalar type ${scalar}`);
  }
}
