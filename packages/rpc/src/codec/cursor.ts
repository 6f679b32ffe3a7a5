// What the parts of a running decode share. One object for all, as decoding is synchronous and calls no foreign code.

/** The state of the decode that is running. */
export interface Cursor {
  /** Where a value reader stopped: its second result, without a pair being allocated. */
  at: number;
  /** How many messages are open. */
  depth: number;
  /** Whether unknown fields are kept. */
  keepUnknown: boolean;
}

/** The shared state. */
export const cursor: Cursor = { at: 0, depth: 0, keepUnknown: false };

/** A message as codecs see it. */
export type Fields = Record<string, unknown>;

/** Reads the value at `at`, never past `end`, and leaves {@link Cursor.at} behind it. */
export type ReadValue = (bytes: Uint8Array, at: number, end: number) => unknown;

/** Reads one field into a message and gives the offset behind it. `end` is the end of the outermost message. */
export type ReadField = (message: Fields, bytes: Uint8Array, at: number, end: number, tag: number) => number;

/** How to read one field. */
export interface FieldReader {
  /** The scalar type of a field that messages are read of without calling `read`; 0 for all others. */
  readonly direct: number;
  /** The property that holds the value. */
  readonly name: string;
  /** Whether text must be valid UTF-8. */
  readonly strict: boolean;
  /** Reads the field, whatever `direct` says. */
  readonly read: ReadField;
}
