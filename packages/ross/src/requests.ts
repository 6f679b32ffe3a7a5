// What can be told to be wrong with a request before it is sent: ids that are missing, messages that the daemon would not
// take.
import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { Code, type Interceptor, RpcError } from "@guestwire/rpc";
import { rossMessageBytes } from "./limits.js";
import { passedOn } from "./streams.js";

/** The fields that the daemon refuses when they are empty, by their names in the schema. */
export const requiredFields: readonly string[] = [
  "container_id",
  "exec_id",
  "image_id",
  "image_name",
  "source_image",
  "repository",
  "term",
  "new_name",
];

/**
 * Checks a request as the daemon would.
 *
 * @param first Whether it is the first message of its call: later ones of a stream need no ids.
 * @throws {RpcError} Code.InvalidArgument naming the empty field; Code.ResourceExhausted with reason `oversize` when it is
 * larger than the 4 MiB that the daemon decodes.
 */
export function checkRossRequest(schema: DescMessage, message: Message, method: string, first = true): void {
  if (first) {
    for (const field of schema.fields) {
      const value = (message as unknown as Record<string, unknown>)[field.localName];
      if (value === "" && requiredFields.includes(field.name)) {
        throw new RpcError(Code.InvalidArgument, `${field.name}: must not be empty`, { method });
      }
    }
  }
  const size = toBinary(schema, message).length;
  if (size > rossMessageBytes) {
    const text = `the ${schema.name} has ${size} bytes; a Ross daemon takes at most ${rossMessageBytes}`;
    throw new RpcError(Code.ResourceExhausted, text, { method, reason: "oversize" });
  }
}

/** Interceptor that refuses such requests before they are sent. Part of `openRoss()`. */
export const rossRequests: Interceptor = (next) => async (call) => {
  const { input } = call.method;
  if (!call.stream) {
    checkRossRequest(input, call.message, call.path);
    return next(call);
  }
  let first = true;
  let refused: { readonly error: unknown } | undefined;
  const messages = passedOn(call.messages, (message) => {
    try {
      checkRossRequest(input, message, call.path, first);
    } catch (error) {
      refused = { error };
      throw error;
    }
    first = false;
    return message;
  });
  // What came of it on the wire is not what the caller should hear.
  const why = (error: unknown): unknown => (refused === undefined ? error : refused.error);
  try {
    const reply = await next({ ...call, messages });
    return reply.stream ? { stream: true, messages: passedOn(reply.messages, (message) => message, why) } : reply;
  } catch (error) {
    throw why(error);
  }
};
