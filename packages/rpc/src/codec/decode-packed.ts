// Reads packed lists: many numbers of one type behind one tag. Which fields are lists is decided by decode-field.ts.
import { truncated } from "./codec-error.js";
import { DOUBLE, FLOAT, INT32, UINT32 } from "./constants.js";
import { cursor, type ReadValue } from "./cursor.js";
import { readInt32, readUint32 } from "./read-scalar.js";

/** Reads a packed list at `at` onto the end of `items`, and gives the offset behind it. */
export type ReadPacked = (items: unknown[], bytes: Uint8Array, at: number, end: number) => number;

/** From this size on, floating point numbers are read by a DataView: making one costs as much as a few numbers. */
const VIEW_SIZE = 64;

/** The reader of packed lists of a scalar; `read` reads one value of it. */
export function packedReader(scalar: number, read: ReadValue): ReadPacked {
  const readEach = eachReader(scalar, read);
  const readViewed = scalar === DOUBLE ? readDoubles : scalar === FLOAT ? readFloats : undefined;
  return (items, bytes, at, end) => {
    const length = readUint32(bytes, at, end);
    const start = cursor.at;
    const stop = start + length;
    if (stop > end) throw truncated(end);
    if (readViewed === undefined || length < VIEW_SIZE) return readEach(items, bytes, start, stop, end);
    const whole = readViewed(items as number[], new DataView(bytes.buffer, bytes.byteOffset + start, length));
    // What is left is part of a number, which then ends behind the list, as protobuf-es reads it.
    return readEach(items, bytes, start + whole, stop, end);
  };
}

type ReadEach = (items: unknown[], bytes: Uint8Array, at: number, stop: number, end: number) => number;

function eachReader(scalar: number, read: ReadValue): ReadEach {
  // The commonest lists have a loop of their own, into which the engine inlines the reader.
  if (scalar === INT32) {
    return (items, bytes, at, stop, end) => {
      for (let next = at; ; next = cursor.at) {
        if (next >= stop) return next;
        items.push(readInt32(bytes, next, end));
      }
    };
  }
  if (scalar === UINT32) {
    return (items, bytes, at, stop, end) => {
      for (let next = at; ; next = cursor.at) {
        if (next >= stop) return next;
        items.push(readUint32(bytes, next, end));
      }
    };
  }
  return (items, bytes, at, stop, end) => {
    for (let next = at; ; next = cursor.at) {
      if (next >= stop) return next;
      items.push(read(bytes, next, end));
    }
  };
}

function readDoubles(items: number[], view: DataView): number {
  const size = view.byteLength - (view.byteLength % 8);
  for (let at = 0; at < size; at += 8) items.push(view.getFloat64(at, true));
  return size;
}

function readFloats(items: number[], view: DataView): number {
  const size = view.byteLength - (view.byteLength % 4);
  for (let at = 0; at < size; at += 4) items.push(view.getFloat32(at, true));
  return size;
}
