// Registration, exact names, and interceptors on the server's side.
import { describe, expect, test } from "vitest";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createContextKey } from "./context-values.js";
import type { HandlerContext } from "./handler-context.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor, StreamCall } from "./interceptor.js";
import { createPushStream } from "./push-stream.js";
import { createRouter, type Handlers, type ServiceOptions } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, Words, words } from "./words.test.support.js";

type WordsHandlers = Partial<Handlers<typeof Words>>;

describe("registration", () => {
  test("interceptors that are no list are refused by name", () => {
    const wrong = { interceptors: ((next) => next) as Interceptor } as unknown as ServiceOptions;
    const text = "interceptors must be a list, not function";
    expect(() => createRouter(wrong).service(Words, words)).toThrow(text);
    expect(() => createRouter().service(Words, words, wrong)).toThrow(text);
  });

  test("finds methods by exact names only", () => {
    const router = createRouter().service(Words, words);
    expect(router.services).toEqual([Words]);
    expect(router.find("t.Words", "Shout")).toMatchObject({
      path: "/t.Words/Shout",
      method: Words.method.shout,
      clientStreams: false,
      serverStreams: false,
    });
    expect(router.find("t.Words", "Chat")).toMatchObject({ clientStreams: true, serverStreams: true });
    for (const [service, method] of [
      ["t.Words", "shout"],
      ["t.words", "Shout"],
      ["/t.Words", "Shout"],
      ["t.Words/", "Shout"],
      ["Words", "Shout"],
      ["", ""],
      ["t.Words", ""],
      ["t.Words", "constructor"],
      ["__proto__", "Shout"],
    ] as const) {
      expect(router.find(service, method)).toBeUndefined();
    }
  });

  test("missing() says what is missing", () => {
    const router = createRouter().service(Words, words);
    expect(router.missing("t.Words", "Sing")).toMatchObject({ code: Code.Unimplemented, rawMessage: "method Sing" });
    expect(router.missing("t.Songs", "Sing")).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "service t.Songs",
    });
  });

  test("a service can be registered once", () => {
    const router = createRouter().service(Words, words);
    const again = () => router.service(Words, {});
    expect(again).toThrow("the service t.Words is registered already");
    expect(again).toThrow(expect.objectContaining({ code: Code.AlreadyExists }));
  });

  test("what is no handler is refused by name, and the service stays unregistered", () => {
    const router = createRouter();
    const wrong = (handlers: unknown) => () => router.service(Words, handlers as WordsHandlers);
    expect(wrong({ shout: "x" })).toThrow("the handler of /t.Words/Shout is not a function");
    expect(wrong({ count: null })).toThrow("the handler of /t.Words/Count is not a function");
    expect(wrong(undefined)).toThrow("the handlers of t.Words are no object");
    expect(wrong(null)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
    expect(() => router.service(Words, {}, { interceptors: [7 as never] })).toThrow("interceptor 0 is not a function");
    expect(router.services).toEqual([]);
    expect(router.find("t.Words", "Shout")).toBeUndefined();
    router.service(Words, words);
  });

  test("handlers may be an instance of a class, inherited methods included", async () => {
    class Base {
      protected prefix = ">";
      shout({ value }: { value: string }) {
        return { value: `${this.prefix}${value}` };
      }
    }
    class Mine extends Base implements WordsHandlers {
      async *count() {
        yield { value: this.prefix.length };
      }
    }
    await using channel = createInProcessChannel((router) => router.service(Words, new Mine()));
    const client = createClient(Words, channel);
    expect(await client.shout({ value: "x" })).toMatchObject({ value: ">x" });
    expect(await all(client.count({}))).toMatchObject([{ value: 1 }]);
  });

  test("what every object inherits is no handler", async () => {
    const method = { ...Words.method.shout, name: "HasOwnProperty", localName: "hasOwnProperty" };
    const service = { ...Words, methods: [method] } as unknown as typeof Words;
    const router = createRouter().service(service, {});
    const route = router.find("t.Words", "HasOwnProperty");
    expect(() => route?.single({} as never, {} as HandlerContext)).toThrow("method HasOwnProperty");
  });
});

/** Serves the words with these interceptors. */
function serve(options: ServiceOptions, handlers: WordsHandlers = {}, own: ServiceOptions = {}) {
  const router = createRouter(options).service(Words, { ...words, ...handlers }, own);
  return createClient(Words, createInProcessChannel(router));
}

describe("interceptors", () => {
  test("run around every handler: the router's outside of the service's, and see what is called", async () => {
    const log: string[] = [];
    const named =
      (name: string): Interceptor =>
      (next) =>
      async (call) => {
        log.push(`${name} ${call.path} ${call.method.name} ${call.stream}`);
        return next(call);
      };
    const client = serve({ interceptors: [named("a"), named("b")] }, {}, { interceptors: [named("c")] });
    await client.shout({ value: "x" });
    expect(log.splice(0)).toEqual(["a", "b", "c"].map((name) => `${name} /t.Words/Shout Shout false`));
    await all(client.count({ value: 1 }));
    await client.join([]);
    await all(client.chat([]));
    const streams = ["Count", "Join", "Chat"].flatMap((method) =>
      ["a", "b", "c"].map((name) => `${name} /t.Words/${method} ${method} true`),
    );
    expect(log).toEqual(streams);
  });

  test("see whole messages, also where the handler gave a part of one", async () => {
    const seen: unknown[] = [];
    const look: Interceptor = (next) => async (call) => {
      const reply = await next(call);
      if (!reply.stream) seen.push(reply.message);
      else {
        const messages = await all(reply.messages);
        seen.push(...messages);
        return { ...reply, messages: messages as never };
      }
      return reply;
    };
    const empty = { $typeName: "google.protobuf.StringValue", value: "" };
    const client = serve({ interceptors: [look] }, { shout: () => ({}), join: () => ({}), chat: () => [{}] });
    await client.shout({});
    await client.join([]);
    await all(client.chat([]));
    expect(seen).toEqual([empty, empty, empty]);
  });

  test("leave values and metadata for the handler, and see its context", async () => {
    const user = createContextKey("nobody");
    let context: HandlerContext | undefined;
    const auth: Interceptor = (next) => (call) => {
      call.values.set(user, call.metadata.get("user") ?? "guest");
      call.metadata.append("checked", "yes");
      context = call.context;
      expect(call.signal).toBe(call.context?.signal);
      expect(call.timeRemainingMs()).toBeLessThanOrEqual(60_000);
      return next(call);
    };
    const client = serve(
      { interceptors: [auth] },
      {
        shout: (_, own) => {
          expect(own).toBe(context);
          return { value: `${own.values.get(user)} ${own.metadata.get("checked")}` };
        },
      },
    );
    const answer = await client.shout({}, { metadata: { user: "ada" }, timeoutMs: 60_000 });
    expect(answer.value).toBe("ada yes");
  });

  test("may replace the context that the handler sees", async () => {
    const wrap: Interceptor = (next) => (call) =>
      next({
        ...call,
        context: new Proxy(call.context as HandlerContext, {
          get: (_, key) => (key === "path" ? "/other" : undefined),
        }),
      });
    const client = serve({ interceptors: [wrap] }, { shout: (_, { path }) => ({ value: path }) });
    expect((await client.shout({})).value).toBe("/other");
  });

  test("may answer themselves, and then no handler runs", async () => {
    const cached: Interceptor = () => async (call) =>
      call.stream
        ? { stream: true, messages: createdStream([{ value: 9 }]) }
        : { stream: false, message: { $typeName: "google.protobuf.StringValue", value: "cached" } as never };
    const never = (): never => {
      throw new Error("a handler ran");
    };
    const client = serve({ interceptors: [cached] }, { shout: never, count: never });
    expect((await client.shout({})).value).toBe("cached");
    expect(await all(client.count({}))).toMatchObject([{ value: 9 }]);
  });

  test("may throw before and after, and map errors", async () => {
    const order: string[] = [];
    const mapping: Interceptor = (next) => async (call) => {
      try {
        return await next(call);
      } catch (error) {
        order.push(RpcError.from(error).rawMessage);
        throw new RpcError(Code.Aborted, "mapped");
      }
    };
    const after: Interceptor = (next) => async (call) => {
      await next(call);
      throw new Error("after");
    };
    const client = serve({ interceptors: [mapping, after] });
    expect(await failure(client.shout({}))).toMatchObject({ code: Code.Aborted, rawMessage: "mapped" });
    expect(await failure(all(client.count({ value: 1 })))).toMatchObject({ code: Code.Aborted, rawMessage: "mapped" });
    expect(order).toEqual(["after", "after"]);
  });

  test("that repeat a call give the handler the request anew", async () => {
    let runs = 0;
    const twice: Interceptor = (next) => async (call) => {
      await next(call);
      return next(call);
    };
    const client = serve(
      { interceptors: [twice] },
      {
        shout: ({ value }) => ({ value: `${value}${++runs}` }),
        count: ({ value }) => [{ value: value + ++runs }],
      },
    );
    expect((await client.shout({ value: "x" })).value).toBe("x2");
    expect(await all(client.count({ value: 10 }))).toMatchObject([{ value: 14 }]);
  });

  test("that break the rules are named as the fault", async () => {
    const wrong =
      (reply: unknown): Interceptor =>
      () =>
      async () =>
        reply as never;
    const answer = async (reply: unknown) => {
      const client = serve({ interceptors: [wrong(reply)] });
      return [await failure(client.shout({})), await failure(all(client.count({}))), await failure(client.join([]))];
    };
    const nothing = (method: string) => ({
      code: Code.Internal,
      rawMessage: `an interceptor answered /t.Words/${method} with nothing`,
    });
    for (const reply of [undefined, null, 7, {}, { stream: true }, { stream: true, messages: 7 }]) {
      expect(await answer(reply)).toMatchObject([nothing("Shout"), nothing("Count"), nothing("Join")]);
    }
    const message = { $typeName: "google.protobuf.StringValue", value: "" };
    expect((await answer({ stream: false, message }).catch((error) => [error]))[0]).toMatchObject({
      message: "it did not fail",
    });
    expect(await failure(all(serve({ interceptors: [wrong({ stream: false, message })] }).count({})))).toMatchObject({
      code: Code.Internal,
      rawMessage: "an interceptor answered /t.Words/Count without a stream",
    });
    const empty = serve({ interceptors: [wrong({ stream: true, messages: createdStream([]) })] });
    expect(await failure(empty.join([]))).toMatchObject({
      code: Code.Internal,
      rawMessage: "the answer of /t.Words/Join has no message where one is due",
    });
    const none: Interceptor = (next) => (call) => next({ ...(call as StreamCall), messages: createdStream([]) });
    expect(await failure(all(serve({ interceptors: [none] }).count({})))).toMatchObject({
      rawMessage: "the request to /t.Words/Count has no message where one is due",
    });
  });

  test("are not blamed for a handler that returns no message", async () => {
    const pass: Interceptor = (next) => (call) => next(call);
    const client = serve({ interceptors: [pass] }, { shout: () => undefined as never, chat: () => [null as never] });
    expect(await failure(client.shout({}))).toMatchObject({
      code: Code.Internal,
      rawMessage: "the handler of /t.Words/Shout returned undefined where a message is due",
    });
    expect(await failure(all(client.chat([])))).toMatchObject({
      rawMessage: "the handler of /t.Words/Chat returned null where a message is due",
    });
  });

  test("one that is a generator does not keep the handler's own stream from its end", async () => {
    const tap: Interceptor = (next) => async (call) => {
      const reply = await next(call);
      return reply.stream ? { ...reply, messages: tapped(reply.messages) } : reply;
    };
    const pushed = createPushStream<{ value: number }>();
    const client = serve({ interceptors: [tap] }, { count: () => pushed });
    void pushed.push({ value: 1 });
    const control = new AbortController();
    const responses = client.count({}, { signal: control.signal });
    await responses.next();
    const waiting = failure(responses.next());
    control.abort();
    await waiting;
    expect(await failure(pushed.push({ value: 2 }))).toMatchObject({ code: Code.Canceled });
  });
});

async function* tapped<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  for await (const message of messages) yield message;
}

/** A stream of messages as an interceptor may make one up. */
function createdStream(messages: object[]): AsyncIterable<never> {
  return tapped(
    (async function* () {
      for (const message of messages) yield message as never;
    })(),
  );
}
