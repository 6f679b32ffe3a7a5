// The status codes of a remote call: gRPC's numbers 1 to 16, which ttrpc shares. No behaviour beyond naming them.

/**
 * Why a call failed. The numbers are those of gRPC and ttrpc statuses; 0 (OK) is not an error and has no name here.
 *
 * Source: https://grpc.io/docs/guides/status-codes/
 */
export const Code = {
  /** The caller gave up: its signal fired, its loop ended early, or the channel was closed. */
  Canceled: 1,
  /** The handler failed with an error that carries no code. */
  Unknown: 2,
  /** The request is wrong whatever the state of the server is. */
  InvalidArgument: 3,
  /** The deadline passed before the call was complete. The server may still have done the work. */
  DeadlineExceeded: 4,
  /** What the request names does not exist. */
  NotFound: 5,
  /** What the request wants to create exists already. */
  AlreadyExists: 6,
  /** The caller is known and not allowed. */
  PermissionDenied: 7,
  /** A limit is reached: message size, queue, quota, number of running calls. */
  ResourceExhausted: 8,
  /** The server is not in the state that the call needs; retrying alone does not help. */
  FailedPrecondition: 9,
  /** A conflict with another call; retry the whole sequence. */
  Aborted: 10,
  /** The position asked for lies outside of what exists. */
  OutOfRange: 11,
  /** The server has no such service or method, or does not support the operation. */
  Unimplemented: 12,
  /** A fault in the server or in the protocol between both ends. */
  Internal: 13,
  /** The peer cannot be reached or is going away; a retry may succeed. */
  Unavailable: 14,
  /** Data is lost or corrupted beyond repair. */
  DataLoss: 15,
  /** The caller did not prove who it is. */
  Unauthenticated: 16,
} as const;

/** One of the values of {@link Code}: an integer from 1 to 16. */
export type Code = (typeof Code)[keyof typeof Code];

const names: readonly string[] = [
  "ok",
  ...Object.keys(Code).map((name) => name.replace(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()),
];

/**
 * The name of a code in lower case with underscores, as in `not_found`.
 *
 * @param code A number; 0 gives `ok`, a number that is no code gives `code_<number>`.
 */
export function codeName(code: number): string {
  return names[code] ?? `code_${code}`;
}

/**
 * The code with a given name.
 *
 * @param name As `not_found`, `NOT_FOUND` or `NotFound`; `cancelled`, as gRPC's own table spells it, too.
 * @returns `undefined` where no code has that name, also for `ok`.
 */
export function codeFromName(name: string): Code | undefined {
  const plain = name
    .replaceAll("_", "")
    .toLowerCase()
    .replace(/^cancelled$/, "canceled");
  const index = names.findIndex((known) => known.replaceAll("_", "") === plain);
  return index > 0 ? (index as Code) : undefined;
}

/** Whether a number is one of the 16 error codes. */
export function isCode(value: number): value is Code {
  return Number.isInteger(value) && value >= 1 && value <= 16;
}
