// The one error of every call, on both ends and on every wire. Knows no wire format but the detail's type URL.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Code, codeName, isCode } from "./code.js";
import { codecFor } from "./codec/codec.js";
import type { Metadata } from "./metadata.js";

/**
 * What happened to the transport, where a failure came from there and not from the peer's handler:
 * `connect_failed` no connection could be made; `connection_closed` it ended while the call ran; `deadline` the time was
 * up; `canceled` this side gave up; `oversize` a message is over the limit; `protocol` the peer broke the wire's rules;
 * `overflow` messages came faster than they were read.
 */
export type FailureReason =
  | "connect_failed"
  | "connection_closed"
  | "deadline"
  | "canceled"
  | "oversize"
  | "protocol"
  | "overflow";

/** A detail as it travels: an encoded message and the name of its type (a `google.protobuf.Any`). */
export interface ErrorDetail {
  /** The type's full name, bare (containerd's form) or behind a prefix that ends in "/". */
  readonly typeUrl: string;
  /** The encoded message. */
  readonly value: Uint8Array;
}

/** A detail to send, as a schema and a message of it. */
export interface OutgoingDetail<D extends DescMessage = DescMessage> {
  readonly schema: D;
  readonly value: MessageInitShape<D>;
}

/** The optional parts of an {@link RpcError}. */
export interface RpcErrorOptions {
  /** What led to this error; for a canceled call the signal's reason. */
  readonly cause?: unknown;
  /** Structured details, sent to the peer as `google.rpc.Status.details`. Default none. */
  readonly details?: readonly (ErrorDetail | OutgoingDetail)[];
  /** Metadata that came with the error (gRPC trailers). Default none. */
  readonly metadata?: Metadata;
  /** The method called, as `/package.Service/Method`. */
  readonly method?: string;
  /** The address of the other end. */
  readonly peer?: string;
  /** Set where the transport failed, not the handler. */
  readonly reason?: FailureReason;
}

const brand = Symbol.for("guestwire.RpcError");

/**
 * A failed call. Thrown by clients; thrown by handlers to choose the code that the client sees.
 *
 * `instanceof` works across copies of this package, as it looks at a brand and not at the class.
 */
export class RpcError extends Error {
  /** Why the call failed. */
  readonly code: Code;
  /** The message without the code in front. */
  readonly rawMessage: string;
  /** Structured details, in the order of the wire. */
  readonly details: readonly ErrorDetail[];
  /** Metadata that came with the error; `undefined` where the wire has none. */
  readonly metadata: Metadata | undefined;
  /** The method called, as `/package.Service/Method`; `undefined` where no call was under way. */
  readonly method: string | undefined;
  /** The address of the other end. */
  readonly peer: string | undefined;
  /** What happened to the transport; `undefined` where the peer's handler answered with this error. */
  readonly reason: FailureReason | undefined;

  /**
   * @param code One of {@link Code}; any other number becomes `Unknown`, as a status without an error has no error's code.
   * @param message What went wrong, naming the offending part; sent to the peer.
   * @param options The optional parts.
   * @throws {CodecError} when a detail given as a schema and a value cannot be encoded.
   */
  constructor(code: Code, message: string, options: RpcErrorOptions = {}) {
    const known = isCode(code) ? code : Code.Unknown;
    const text = String(message);
    super(`[${codeName(known)}] ${text}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = known;
    this.rawMessage = text;
    this.details = (options.details ?? []).map(encodedDetail);
    this.metadata = options.metadata;
    this.method = options.method;
    this.peer = options.peer;
    this.reason = options.reason;
  }

  override get name(): string {
    return "RpcError";
  }

  /**
   * Makes an `RpcError` of anything that was thrown.
   *
   * An `RpcError` is returned as it is. An abort becomes `Canceled`, a timeout `DeadlineExceeded`, a Node system error the
   * code that Go servers choose for it (`ENOENT` NotFound, `EEXIST` AlreadyExists, `EACCES`/`EPERM` PermissionDenied).
   *
   * @param error What was thrown; text and other values become the message. Never throws, whatever it is.
   * @param fallback The code where none of that fits. Default `Code.Unknown`.
   */
  static from(error: unknown, fallback: Code = Code.Unknown): RpcError {
    if (error instanceof RpcError) return error;
    const name = readText(error, "name");
    const code =
      name === "AbortError"
        ? Code.Canceled
        : name === "TimeoutError"
          ? Code.DeadlineExceeded
          : (systemCodes.get(readText(error, "code") ?? "") ?? fallback);
    return new RpcError(code, readText(error, "message") ?? asText(error), { cause: error });
  }

  /**
   * The details of one message type, decoded.
   *
   * @param schema The type to look for; matched by full name.
   * @returns All of that type in order; one that cannot be decoded is left out.
   */
  findDetails<D extends DescMessage>(schema: D): MessageShape<D>[] {
    const found: MessageShape<D>[] = [];
    for (const detail of this.details) {
      if (detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1) !== schema.typeName) continue;
      try {
        found.push(codecFor(schema).decode(detail.value, 0, detail.value.length));
      } catch {
        // A peer's broken detail must not hide the error that carries it.
      }
    }
    return found;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class of one's own that extends this one is asked for by its prototype, as any class.
    // biome-ignore lint/complexity/noThisInStatic: it is the class that `instanceof` asks for, which may extend this one.
    if (this !== RpcError) return Function.prototype[Symbol.hasInstance].call(this, value);
    try {
      return typeof value === "object" && value !== null && brand in value;
    } catch {
      // A proxy may throw at any question; it is none of ours then.
      return false;
    }
  }
}

// On the prototype, so that every instance of every copy of this package carries it.
Object.defineProperty(RpcError.prototype, brand, { value: true });

const systemCodes: ReadonlyMap<string, Code> = new Map([
  ["ENOENT", Code.NotFound],
  ["EEXIST", Code.AlreadyExists],
  ["EACCES", Code.PermissionDenied],
  ["EPERM", Code.PermissionDenied],
]);

/**
 * Runs `make` without recording a stack: the stack of an error that a peer sent shows our reading loop, never the
 * caller, and recording it costs six times the rest (1.8 µs against 0.3).
 */
export function withoutStack<T extends Error>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** A text property of something that was thrown, which may have no properties or getters that throw. */
function readText(thrown: unknown, key: "name" | "code" | "message"): string | undefined {
  try {
    const value = typeof thrown === "object" && thrown !== null ? (thrown as Record<string, unknown>)[key] : undefined;
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function asText(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "something was thrown that has no text";
  }
}

function encodedDetail(detail: ErrorDetail | OutgoingDetail): ErrorDetail {
  if (!("schema" in detail)) return detail;
  return {
    typeUrl: `type.googleapis.com/${detail.schema.typeName}`,
    value: codecFor(detail.schema).toBytes(detail.value),
  };
}
