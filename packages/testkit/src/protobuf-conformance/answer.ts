// Answers one request of the protobuf conformance suite with a codec under test. Knows no pipes and no recordings.
import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type Message,
  type Registry,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { codecFor } from "@guestwire/rpc/codec";

/** A codec under test. Both throw for what they refuse. */
export interface Subject {
  /** Decodes a message, unknown fields included. */
  decode(schema: DescMessage, bytes: Uint8Array): Message;
  /** Encodes a message. */
  encode(schema: DescMessage, message: Message): Uint8Array;
}

/** Our codec. */
export const guestwire: Subject = {
  decode: (schema, bytes) => codecFor(schema, { keepUnknown: true }).decode(bytes, 0, bytes.length),
  encode: (schema, message) => codecFor(schema).toBytes(message),
};

/** The codec of protobuf-es, which ours is compared with. */
export const protobufEs: Subject = {
  decode: (schema, bytes) => fromBinary(schema, bytes),
  encode: (schema, message) => toBinary(schema, message),
};

// Numbers of conformance.proto.
const PROTOBUF = 1;
const JSON_TEXT = 2;
const IGNORE_UNKNOWN = 3;

/** The suite's `ConformanceRequest`, as far as it matters here. */
interface Request extends Message {
  readonly payload: { readonly case?: string; readonly value?: unknown };
  readonly requestedOutputFormat: number;
  readonly messageType: string;
  readonly testCategory: number;
}

/** The member of the suite's `ConformanceResponse` that is set, and its value. */
export type Answer = readonly [
  result: "parseError" | "serializeError" | "runtimeError" | "protobufPayload" | "jsonPayload" | "skipped",
  value: string | Uint8Array,
];

/**
 * Answers a request: decodes its payload and encodes the message again. JSON, which our codec does not know, is left to
 * protobuf-es on both sides, so that our codec gets messages made elsewhere and others get those that it made.
 *
 * @param registry Has the suite's own messages and those that it sends.
 * @param bytes A `ConformanceRequest`.
 */
export function answer(subject: Subject, registry: Registry, bytes: Uint8Array): Answer {
  const request = fromBinary(messageType(registry, "conformance.ConformanceRequest"), bytes) as Request;
  // Some runners ask first which tests are known to fail: none.
  if (request.messageType === "conformance.FailureSet") return ["protobufPayload", new Uint8Array(0)];
  const { payload, requestedOutputFormat: output } = request;
  if (
    (payload.case !== "protobufPayload" && payload.case !== "jsonPayload") ||
    (output !== PROTOBUF && output !== JSON_TEXT)
  )
    return ["skipped", "only binary and JSON"];
  const schema = messageType(registry, request.messageType);
  let message: Message;
  try {
    message =
      payload.case === "protobufPayload"
        ? subject.decode(schema, payload.value as Uint8Array)
        : fromJsonString(schema, payload.value as string, {
            registry,
            ignoreUnknownFields: request.testCategory === IGNORE_UNKNOWN,
          });
  } catch (error) {
    return ["parseError", String(error)];
  }
  try {
    if (output === PROTOBUF) return ["protobufPayload", subject.encode(schema, message)];
    return ["jsonPayload", toJsonString(schema, message, { registry })];
  } catch (error) {
    return ["serializeError", String(error)];
  }
}

/** Encodes an answer as a `ConformanceResponse`. */
export function toResponse(registry: Registry, [result, value]: Answer): Uint8Array {
  const schema = messageType(registry, "conformance.ConformanceResponse");
  return toBinary(schema, create(schema, { result: { case: result, value } }));
}

/** The same response with an error that says nothing, as codecs word their errors differently; undefined if it skips the test. */
export function withoutErrorText(registry: Registry, response: Uint8Array): Uint8Array | undefined {
  const schema = messageType(registry, "conformance.ConformanceResponse");
  const message = fromBinary(schema, response) as Message & { result: { case: string; value: unknown } };
  if (message.result.case === "skipped") return undefined;
  if (message.result.case.endsWith("Error")) message.result.value = "";
  return toBinary(schema, message);
}

function messageType(registry: Registry, name: string): DescMessage {
  const schema = registry.getMessage(name);
  if (schema === undefined) throw new Error(`the suite's message type ${name} is not in its schema`);
  return schema;
}
