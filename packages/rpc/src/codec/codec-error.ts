// The one error that codecs throw, and its wording. Knows nothing of calls: transports turn it into a status.

/** A message that cannot be encoded or decoded. The text names the message type, the field and the cause. */
export class CodecError extends Error {
  override readonly name: string = "CodecError";
}

/**
 * What went wrong within a message that is being decoded; becomes a {@link CodecError} at its outermost level.
 * No Error: taking a stack costs more than decoding most messages, and whoever sends bad ones should not gain by it.
 */
export class DecodeFault {
  /** What is wrong, such as `truncated`. */
  readonly cause: string;
  /** Offset in the decoded array. */
  readonly at: number;
  /** The names of the fields on the way to the fault, innermost first. */
  readonly path: string[] = [];

  /** @see {@link DecodeFault.cause} and {@link DecodeFault.at} */
  constructor(cause: string, at: number) {
    this.cause = cause;
    this.at = at;
  }
}

/** The error for a value that a field cannot hold. */
export function encodeError(label: string, cause: string): CodecError {
  return new CodecError(`cannot encode field ${label}: ${cause}`);
}

/** The error for a value of the wrong type or out of its type's range. */
export function valueError(label: string, expected: string, value: unknown): CodecError {
  return encodeError(label, `expected ${expected}, got ${describe(value)}`);
}

/** Says in a word or two what a value is. Shows numbers, which are out of range; never text, which may be a secret. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "number":
    case "bigint":
      // A bigint may have any number of digits.
      return `${typeof value} ${value}`.slice(0, 60);
    case "object": {
      if (value === null) return "null";
      if (Array.isArray(value)) return "array";
      const type = (value as { $typeName?: unknown }).$typeName;
      if (typeof type === "string") return `message ${type}`;
      const name = value.constructor?.name;
      return typeof name === "string" && name !== "" && name !== "Object" ? name : "object";
    }
    default:
      return typeof value;
  }
}

/** The fault of bytes that end too early. */
export function truncated(at: number): DecodeFault {
  return new DecodeFault("truncated", at);
}
