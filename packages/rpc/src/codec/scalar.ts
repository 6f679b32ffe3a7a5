// Facts about scalar types: how they lie on the wire and what their zero is. Reads and writes nothing.
import {
  BIT32,
  BIT64,
  BOOL,
  BYTES,
  DELIMITED,
  DOUBLE,
  FIXED32,
  FIXED64,
  FLOAT,
  INT64,
  SFIXED32,
  SFIXED64,
  SINT64,
  STRING,
  UINT64,
  VARINT,
} from "./constants.js";

/** The wire type of a scalar. */
export function wireTypeOf(scalar: number): number {
  switch (scalar) {
    case BYTES:
    case STRING:
      return DELIMITED;
    case DOUBLE:
    case FIXED64:
    case SFIXED64:
      return BIT64;
    case FLOAT:
    case FIXED32:
    case SFIXED32:
      return BIT32;
    default:
      return VARINT;
  }
}

/** Whether a scalar is one of the 64-bit integers. */
export function isLong(scalar: number): boolean {
  return scalar === INT64 || scalar === UINT64 || scalar === FIXED64 || scalar === SFIXED64 || scalar === SINT64;
}

/** The zero value of a scalar; a fresh array for bytes. */
export function zeroOf(scalar: number, longAsString: boolean): unknown {
  if (isLong(scalar)) return longAsString ? "0" : 0n;
  switch (scalar) {
    case STRING:
      return "";
    case BOOL:
      return false;
    case BYTES:
      return new Uint8Array(0);
    default:
      return 0;
  }
}

/** Stores a value as a property of the object itself, also under the name `__proto__`. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    target[key] = value;
  }
}

/** Whether a value is an object with named members: not null, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
