// What a client makes of the bytes of an answer, and how it encodes a request. No connection.
import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import { decodeErrorPayload } from "./error-frame.js";
import { type Frame, fixedBytes } from "./frame.js";
import { type FrameMethod, FrameNumber, isKnownNumber, numberText } from "./numbers.js";
import { sameTrace } from "./trace.js";

/** What names a call in its errors. */
export interface ErrorParts {
  readonly method: string;
  readonly peer: string;
}

/** What a frame of an answer turned out to be. */
export type Answer =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "error"; readonly error: RpcError };

/**
 * Encodes a message for a frame.
 *
 * @throws {RpcError} Code.InvalidArgument when it is no such message; Code.ResourceExhausted when the frame would be over
 * the limit.
 */
export function encodePayload(
  schema: DescMessage,
  message: unknown,
  frameBytes: number,
  trace: Uint8Array,
  parts: ErrorParts,
): Uint8Array {
  if (typeof message !== "object" || message === null) {
    const given = message === null ? "null" : typeof message;
    throw new RpcError(Code.InvalidArgument, `${given} was given where a ${schema.typeName} is due`, parts);
  }
  let payload: Uint8Array;
  try {
    payload = codecFor(schema).toBytes(message as never);
  } catch (error) {
    throw new RpcError(Code.InvalidArgument, (error as Error).message, { ...parts, cause: error });
  }
  const length = fixedBytes + trace.length + payload.length;
  if (length <= frameBytes) return payload;
  const text = `the ${schema.typeName} makes a frame of ${length} bytes, over the limit of ${frameBytes}`;
  throw new RpcError(Code.ResourceExhausted, text, { ...parts, reason: "oversize" });
}

/**
 * Reads a frame as (a part of) the answer to a call.
 *
 * @param trace What the request carried, and so must the answer; an error may come without, as from an agent that could
 * not read that far.
 * @throws {RpcError} Code.Internal, reason `protocol`, when it is no answer to this call.
 */
export function readAnswer(
  frame: Frame,
  wire: FrameMethod,
  method: DescMethod,
  trace: Uint8Array,
  parts: ErrorParts,
): Answer {
  const { type, payload } = frame;
  const error = type === FrameNumber.Error;
  if (type !== wire.reply && !error) {
    const what = isKnownNumber(type) ? "" : ", which stands for nothing";
    throw protocolError(
      `the agent answered with ${numberText(type)}${what} where ${numberText(wire.reply)} is due`,
      parts,
    );
  }
  if (!sameTrace(frame.trace, trace) && !(error && frame.trace.length === 0)) {
    throw protocolError("the agent answered with another trace id than the request's", parts);
  }
  if (error) return { kind: "error", error: decodeErrorPayload(payload, parts) };
  try {
    return { kind: "message", message: codecFor(method.output).decode(payload, 0, payload.length) };
  } catch (cause) {
    throw protocolError(`the response cannot be decoded: ${(cause as Error).message}`, parts, cause);
  }
}

/** An error of the transport with the call's names in it; others as they are. */
export function callError(error: unknown, parts: ErrorParts): RpcError {
  if (!(error instanceof RpcError)) return RpcError.from(error);
  if (error.method !== undefined) return error;
  const { code, rawMessage, reason, cause } = error;
  return new RpcError(code, rawMessage, { ...parts, ...(reason !== undefined && { reason }), cause: cause ?? error });
}

function protocolError(message: string, parts: ErrorParts, cause?: unknown): RpcError {
  return new RpcError(Code.Internal, message, { ...parts, reason: "protocol", ...(cause !== undefined && { cause }) });
}
