// createClient: what it makes of a service, its types, and how many responses each kind may have.
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Int32ValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { CallOptions, Channel } from "./channel.js";
import { type Client, createClient } from "./client.js";
import { Code } from "./code.js";
import type { HandlerContext } from "./handler-context.js";
import { createInProcessChannel } from "./in-process.js";
import type { MessageStream, ResponseStream } from "./method.js";
import type { Handlers } from "./router.js";
import { all, failure, Words, words } from "./words.test.support.js";

type Text = MessageShape<typeof StringValueSchema>;
type TextInit = MessageInitShape<typeof StringValueSchema>;
type Count = MessageShape<typeof Int32ValueSchema>;
type CountInit = MessageInitShape<typeof Int32ValueSchema>;

describe("a client", () => {
  test("calls methods of all four kinds", async () => {
    await using channel = createInProcessChannel((router) => router.service(Words, words));
    const client = createClient(Words, channel);
    expect(await client.shout({ value: "hi" })).toMatchObject({ value: "HI" });
    expect((await all(client.count({ value: 3 }))).map(({ value }) => value)).toEqual([1, 2, 3]);
    expect(await client.join([{ value: "a" }, { value: "b" }])).toMatchObject({ value: "a b" });
    expect((await all(client.chat([{ value: "x" }]))).map(({ value }) => value)).toEqual(["X"]);
  });

  test("of something that is no service, or on something that is no channel, is refused at once", () => {
    const channel = createInProcessChannel(() => {});
    expect(() => createClient(undefined as never, channel)).toThrow(/needs a generated service/);
    expect(() => createClient(Words, "unix:///run/a.sock" as never)).toThrow(/needs a channel, as connect\(address\)/);
  });

  test("has the service's methods and nothing else, so that awaiting it is harmless", async () => {
    await using channel = createInProcessChannel(() => {});
    const client = createClient(Words, channel);
    expect(Object.keys(client)).toEqual(["shout", "count", "join", "chat"]);
    expect("toString" in client).toBe(false);
    expect(await client).toBe(client);
  });

  test("methods work without their client", async () => {
    await using channel = createInProcessChannel((router) => router.service(Words, words));
    const { shout } = createClient(Words, channel);
    expect(await shout({ value: "x" })).toMatchObject({ value: "X" });
  });
});

describe("types", () => {
  test("of clients follow the method's kind", () => {
    type WordsClient = Client<typeof Words>;
    expectTypeOf<keyof WordsClient>().toEqualTypeOf<"shout" | "count" | "join" | "chat">();
    expectTypeOf<WordsClient["shout"]>().toEqualTypeOf<(request: TextInit, options?: CallOptions) => Promise<Text>>();
    expectTypeOf<WordsClient["count"]>().toEqualTypeOf<
      (request: CountInit, options?: CallOptions) => ResponseStream<Count>
    >();
    expectTypeOf<WordsClient["join"]>().toEqualTypeOf<
      (requests: MessageStream<TextInit>, options?: CallOptions) => Promise<Text>
    >();
    expectTypeOf<WordsClient["chat"]>().toEqualTypeOf<
      (requests: MessageStream<TextInit>, options?: CallOptions) => ResponseStream<Text>
    >();
  });

  test("of handlers follow it too, and plain objects are enough", () => {
    type WordsHandlers = Handlers<typeof Words>;
    expectTypeOf<Parameters<WordsHandlers["shout"]>>().toEqualTypeOf<[request: Text, context: HandlerContext]>();
    expectTypeOf<ReturnType<WordsHandlers["shout"]>>().toEqualTypeOf<TextInit | Promise<TextInit>>();
    expectTypeOf<ReturnType<WordsHandlers["count"]>>().toEqualTypeOf<MessageStream<CountInit>>();
    expectTypeOf<Parameters<WordsHandlers["join"]>[0]>().toEqualTypeOf<AsyncIterable<Text>>();
    expectTypeOf<ReturnType<WordsHandlers["chat"]>>().toEqualTypeOf<MessageStream<TextInit>>();
  });

  test("refuse wrong requests, options and handlers", () => {
    const wrong = async (client: Client<typeof Words>): Promise<void> => {
      // @ts-expect-error: a number is no text
      await client.shout({ value: 7 });
      // @ts-expect-error: there is no such field
      await client.shout({ vale: "x" });
      // @ts-expect-error: a stream is due
      await client.join({ value: "x" });
      // @ts-expect-error: there is no such option
      await client.shout({}, { timeout: 5 });
      // @ts-expect-error: there is no such method
      await client.whisper({});
    };
    // @ts-expect-error: a stream is due
    const handlers: Partial<Handlers<typeof Words>> = { count: () => ({ value: 1 }) };
    expect([typeof wrong, typeof handlers.count]).toEqual(["function", "function"]);
  });
});

describe("a method with one response", () => {
  /** A channel whose server answers with any number of messages, as a broken one may. */
  function answering(messages: Iterable<Text | Error>, left: () => void = () => {}): Channel {
    async function* responses() {
      try {
        for (const message of messages) {
          if (message instanceof Error) throw message;
          yield message;
        }
      } finally {
        left();
      }
    }
    const none = (): never => {
      throw new Error("not of use here");
    };
    return {
      target: "test:",
      unary: none,
      stream: () => responses() as never,
      close: none,
      [Symbol.asyncDispose]: none,
    };
  }
  const text = { $typeName: "google.protobuf.StringValue", value: "x" } as Text;

  test("takes exactly one", async () => {
    expect(await createClient(Words, answering([text])).join([])).toBe(text);
  });

  test.each([
    ["none", [], "the server ended the call without a response"],
    ["two", [text, text, text], "the server sent more than one response"],
  ])("fails with %s, and leaves the stream", async (_, messages, rawMessage) => {
    let left = false;
    const client = createClient(
      Words,
      answering(messages, () => {
        left = true;
      }),
    );
    expect(await failure(client.join([]))).toMatchObject({
      code: Code.Unimplemented,
      reason: "protocol",
      method: "/t.Words/Join",
      peer: "test:",
      rawMessage,
    });
    expect(left).toBe(true);
  });

  test("fails with the error that comes instead of the response or after it", async () => {
    const broken = new Error("broken");
    expect(await failure(createClient(Words, answering([broken])).join([]))).toBe(broken);
    expect(await failure(createClient(Words, answering([text, broken])).join([]))).toBe(broken);
  });
});
