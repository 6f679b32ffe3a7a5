// A service of all four kinds on wrapper messages, made by hand, for the tests of this package. Tests nothing itself.
import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  type Int32ValueSchema,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import type { Handlers } from "./router.js";

const text = ".google.protobuf.StringValue";
const number = ".google.protobuf.Int32Value";

const file = create(FileDescriptorProtoSchema, {
  name: "words.proto",
  package: "t",
  syntax: "proto3",
  dependency: [file_google_protobuf_wrappers.proto.name],
  service: [
    {
      name: "Words",
      method: [
        { name: "Shout", inputType: text, outputType: text },
        { name: "Count", inputType: number, outputType: number, serverStreaming: true },
        { name: "Join", inputType: text, outputType: text, clientStreaming: true },
        { name: "Chat", inputType: text, outputType: text, clientStreaming: true, serverStreaming: true },
      ],
    },
  ],
});

/** `Shout` unary, `Count` from the server, `Join` from the client, `Chat` both ways. */
export const Words: GenService<{
  shout: { methodKind: "unary"; input: typeof StringValueSchema; output: typeof StringValueSchema };
  count: { methodKind: "server_streaming"; input: typeof Int32ValueSchema; output: typeof Int32ValueSchema };
  join: { methodKind: "client_streaming"; input: typeof StringValueSchema; output: typeof StringValueSchema };
  chat: { methodKind: "bidi_streaming"; input: typeof StringValueSchema; output: typeof StringValueSchema };
}> = createFileRegistry(file, () => file_google_protobuf_wrappers).getService("t.Words") as never;

/** Handlers that do what the names say. */
export const words: Handlers<typeof Words> = {
  shout: ({ value }) => ({ value: value.toUpperCase() }),
  async *count({ value }) {
    for (let i = 1; i <= value; i++) yield { value: i };
  },
  async join(requests) {
    const parts: string[] = [];
    for await (const { value } of requests) parts.push(value);
    return { value: parts.join(" ") };
  },
  async *chat(requests) {
    for await (const { value } of requests) yield { value: value.toUpperCase() };
  },
};

/** Reads a stream to its end. */
export async function all<T>(messages: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

/** Waits until what was set going has settled: a few turns of the event loop, no time. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for the rejection of a promise and gives what it was rejected with. */
export async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
