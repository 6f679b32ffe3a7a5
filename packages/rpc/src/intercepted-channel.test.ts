// Interceptors on the client's side: what they see, what they may change, and how a call ends while they run.
import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { CallDefaults, CallOptions } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createContextKey, createContextValues } from "./context-values.js";
import { createInProcessChannel } from "./in-process.js";
import type { CallInfo, Interceptor, StreamReply, UnaryCall, UnaryReply } from "./interceptor.js";
import type { ResponseStream } from "./method.js";
import { createPushStream } from "./push-stream.js";
import type { Handlers } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, turns, Words, words } from "./words.test.support.js";

afterEach(() => void vi.useRealTimers());

function open(
  interceptors: readonly Interceptor[],
  handlers: Partial<Handlers<typeof Words>> = {},
  more: CallDefaults = {},
) {
  const channel = createInProcessChannel((router) => router.service(Words, { ...words, ...handlers }), {
    ...more,
    interceptors,
  });
  return createClient(Words, channel);
}

const text = (value: string) => ({ $typeName: "google.protobuf.StringValue", value }) as never;

async function* stream<T>(values: Iterable<T> | AsyncIterable<T>, ended: () => void = () => {}): AsyncIterable<never> {
  try {
    for await (const value of values) yield value as never;
  } finally {
    ended();
  }
}

describe("what they see", () => {
  test("is the resolved method, whole messages, and no server context", async () => {
    const seen: CallInfo[] = [];
    const messages: unknown[] = [];
    const look: Interceptor = (next) => async (call) => {
      seen.push(call);
      if (!call.stream) messages.push(call.message);
      return next(call);
    };
    const client = open([look]);
    await client.shout({});
    await all(client.chat([{ value: "x" }], { timeoutMs: 60_000 }));
    expect(seen.map(({ method, path, context }) => [method, path, context])).toEqual([
      [Words.method.shout, "/t.Words/Shout", undefined],
      [Words.method.chat, "/t.Words/Chat", undefined],
    ]);
    expect(messages).toEqual([text("")]);
    expect(seen[0]?.timeRemainingMs()).toBe(Number.POSITIVE_INFINITY);
    expect(seen[1]?.timeRemainingMs()).toBeLessThanOrEqual(60_000);
    expect(seen[1]?.signal.aborted).toBe(false);
  });

  test("is, of the channel's and the client's defaults, all: in every layer", async () => {
    const seen: [string, string[], boolean][] = [];
    const look =
      (name: string): Interceptor =>
      (next) =>
      (call) => {
        seen.push([name, call.metadata.getAll("a"), call.timeRemainingMs() <= 60_000]);
        return next(call);
      };
    const channel = createInProcessChannel((router) => router.service(Words, words), {
      interceptors: [look("channel")],
      metadata: { a: "1" },
      timeoutMs: 60_000,
    });
    const client = createClient(Words, channel, { interceptors: [look("client")], metadata: { a: "2" } });
    await client.shout({}, { metadata: { a: "3" } });
    expect(seen).toEqual([
      ["client", ["1", "2", "3"], true],
      ["channel", ["1", "2", "3"], true],
    ]);
  });

  test("values are shared along the chain and with the caller, and are the call's own otherwise", async () => {
    const key = createContextKey<string[]>([]);
    const add =
      (name: string): Interceptor =>
      (next) =>
      (call) =>
        next({ ...call, values: call.values.set(key, [...call.values.get(key), name]) });
    const client = open([add("a"), add("b")]);
    const values = createContextValues();
    await client.shout({}, { values });
    expect(values.get(key)).toEqual(["a", "b"]);
    const fresh: string[][] = [];
    const look: Interceptor = (next) => (call) => {
      fresh.push(call.values.get(key));
      return next(call);
    };
    const other = open([look, add("c")]);
    await other.shout({});
    await other.shout({});
    expect(fresh).toEqual([[], []]);
  });

  test("the same values in several calls at once do not mix up their options", async () => {
    const client = open([(next) => (call) => next(call)]);
    const values = createContextValues();
    const heard: string[] = [];
    const options = (name: string): CallOptions => ({ values, onTrailer: () => heard.push(name) });
    await Promise.all([client.shout({}, options("one")), client.shout({}, options("two"))]);
    expect(heard.toSorted()).toEqual(["one", "two"]);
  });
});

describe("what they may do", () => {
  test("change request, response and metadata", async () => {
    const change: Interceptor = (next) => async (call) => {
      call.metadata.set("x", "added");
      const given = (call as UnaryCall).message as unknown as { value: string };
      const reply = (await next({ ...(call as UnaryCall), message: text(`${given.value}!`) })) as UnaryReply;
      return { ...reply, message: text(`${(reply.message as unknown as { value: string }).value}?`) };
    };
    const shout: Handlers<typeof Words>["shout"] = ({ value }, { metadata }) => ({
      value: `${value}${metadata.get("x")}`,
    });
    expect((await open([change], { shout }).shout({ value: "hi" })).value).toBe("hi!added?");
  });

  test("shorten the time and give a signal of their own", async () => {
    const hang: Partial<Handlers<typeof Words>> = { shout: () => new Promise<never>(() => {}) };
    const short: Interceptor = (next) => (call) => next({ ...call, timeRemainingMs: () => 3 });
    expect(await failure(open([short], hang).shout({}))).toMatchObject({ code: Code.DeadlineExceeded });
    const late: Interceptor = (next) => (call) => next({ ...call, timeRemainingMs: () => 0 });
    expect(await failure(open([late]).shout({}))).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "deadline",
      rawMessage: "the deadline passed before the call was sent",
    });
    const stop: Interceptor = (next) => (call) => next({ ...call, signal: AbortSignal.abort("stopped") });
    expect(await failure(open([stop], hang).shout({}))).toMatchObject({ code: Code.Canceled, cause: "stopped" });
  });

  test("answer without the server, unary and as a stream", async () => {
    const canned: Interceptor = () => async (call) =>
      call.stream
        ? { stream: true, messages: stream([{ value: 1 }, { value: 2 }]) }
        : { stream: false, message: text("canned") };
    const client = open([canned]);
    expect((await client.shout({})).value).toBe("canned");
    expect((await all(client.count({}))).map(({ value }) => value)).toEqual([1, 2]);
    expect(await failure(client.join([]))).toMatchObject({ reason: "protocol" });
  });

  test("call next again, for every kind whose requests can be read again", async () => {
    let runs = 0;
    const flaky = (): void => {
      if (++runs % 2 === 1) throw new RpcError(Code.Unavailable, "not yet");
    };
    const retry: Interceptor = (next) => async (call) => {
      try {
        const reply = await next(call);
        return reply.stream ? { ...reply, messages: stream(await all(reply.messages)) } : reply;
      } catch (error) {
        if (RpcError.from(error).code !== Code.Unavailable) throw error;
        const reply = await next(call);
        return reply.stream ? { ...reply, messages: stream(await all(reply.messages)) } : reply;
      }
    };
    const client = open([retry], {
      shout({ value }) {
        flaky();
        return { value };
      },
      async *count({ value }) {
        flaky();
        yield { value };
      },
      async join(requests) {
        const messages = await all(requests);
        flaky();
        return { value: String(messages.length) };
      },
    });
    expect((await client.shout({ value: "x" })).value).toBe("x");
    expect((await all(client.count({ value: 7 })))[0]?.value).toBe(7);
    expect((await client.join([{}, {}, {}])).value).toBe("3");
    expect(runs).toBe(6);
  });

  test("throw before and after, in any form: the caller gets an RpcError that names the call", async () => {
    const before: Interceptor = () => async () => {
      throw new TypeError("before");
    };
    const after: Interceptor = (next) => async (call) => {
      await next(call);
      throw "after";
    };
    const sync: Interceptor = () => () => {
      throw new Error("sync");
    };
    for (const [interceptor, rawMessage] of [
      [before, "before"],
      [after, "after"],
      [sync, "sync"],
    ] as const) {
      const expected = { code: Code.Unknown, rawMessage, peer: "in-process:" };
      const client = open([interceptor]);
      expect(await failure(client.shout({}))).toMatchObject({ ...expected, method: "/t.Words/Shout" });
      expect(await failure(all(client.count({})))).toMatchObject({ ...expected, method: "/t.Words/Count" });
      expect(await failure(client.join([]))).toMatchObject({ ...expected, method: "/t.Words/Join" });
    }
    const own = new RpcError(Code.PermissionDenied, "mine");
    const refuse: Interceptor = () => () => Promise.reject(own);
    expect(await failure(open([refuse]).shout({}))).toBe(own);
  });

  test("see the server's errors, and may turn them into answers", async () => {
    const codes: Code[] = [];
    const fallback: Interceptor = (next) => async (call) => {
      try {
        return await next(call);
      } catch (error) {
        codes.push(RpcError.from(error).code);
        return { stream: false, message: text("fallback") };
      }
    };
    const client = open([fallback], {
      shout() {
        throw new RpcError(Code.NotFound, "x");
      },
    });
    expect((await client.shout({})).value).toBe("fallback");
    expect(codes).toEqual([Code.NotFound]);
  });

  test("break the rules: the fault is named", async () => {
    const wrong =
      (reply: unknown): Interceptor =>
      () =>
      async () =>
        reply as never;
    for (const reply of [undefined, null, 7, {}, { stream: true }, { stream: true, messages: 7 }]) {
      const client = open([wrong(reply)]);
      const rawMessage = "an interceptor answered /t.Words/Shout with nothing";
      expect(await failure(client.shout({}))).toMatchObject({ code: Code.Internal, rawMessage });
      expect(await failure(all(client.count({})))).toMatchObject({ code: Code.Internal });
    }
    const asStream = open([wrong({ stream: true, messages: stream([]) })]);
    expect(await failure(asStream.shout({}))).toMatchObject({
      code: Code.Internal,
      rawMessage: "an interceptor answered /t.Words/Shout with a stream",
    });
    const asMessage = open([wrong({ stream: false, message: text("x") })]);
    expect(await failure(all(asMessage.count({})))).toMatchObject({
      code: Code.Internal,
      rawMessage: "an interceptor answered /t.Words/Count without a stream",
    });
    for (const [messages, fault] of [
      [[], "no message"],
      [[{}, {}], "several messages"],
    ] as const) {
      const client = open([(next) => (call) => next({ ...call, stream: true, messages: stream<object>(messages) })]);
      expect(await failure(all(client.count({})))).toMatchObject({
        code: Code.Internal,
        rawMessage: `an interceptor's request to /t.Words/Count has ${fault} where one is due`,
      });
    }
  });

  test("make up a call of their own: what they do not pass on is the default", async () => {
    let trailers = 0;
    const rebuilt: Interceptor = (next) => (call) => {
      const { method, path, metadata, signal, values, context } = call;
      const message = (call as UnaryCall).message;
      return next({
        stream: false,
        method,
        path,
        metadata,
        signal,
        values,
        context,
        message,
        timeRemainingMs: () => 60_000,
      });
    };
    const client = open([rebuilt]);
    expect((await client.shout({ value: "x" }, { onTrailer: () => trailers++ })).value).toBe("X");
    expect(trailers).toBe(0);
  });
});

describe("the end of a call that runs through them", () => {
  const never: Interceptor = () => () => new Promise(() => {});
  const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

  test("is told to an interceptor that waits, through the call's signal", async () => {
    const reasons: unknown[] = [];
    const waits: Interceptor = () => (call) =>
      new Promise((_, reject) =>
        call.signal.addEventListener("abort", () => {
          reasons.push(call.signal.reason);
          reject(call.signal.reason);
        }),
      );
    const client = open([waits]);
    const error = await failure(client.shout({}, { timeoutMs: 3 }));
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline", method: "/t.Words/Shout" });
    expect(reasons).toEqual([error]);
  });

  test("is no unhandled rejection where nobody reads the stream", async () => {
    const broken = open([() => () => Promise.reject(new Error("unread"))]);
    broken.count({});
    broken.count({}, { signal: AbortSignal.abort() });
    await turns();
  });

  test("reaches the server from the channel's signal and from the call's", async () => {
    for (const at of [0, 1]) {
      const controls = [new AbortController(), new AbortController()] as const;
      const told = Promise.withResolvers<unknown>();
      const shout: Handlers<typeof Words>["shout"] = (_, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () => {
            told.resolve(signal.reason);
            resolve({});
          }),
        );
      const client = open([(next) => (call) => next(call)], { shout }, { signal: controls[0].signal });
      const call = failure(client.shout({}, { signal: controls[1].signal }));
      await turns();
      controls[at]?.abort();
      expect(await call).toMatchObject({ code: Code.Canceled });
      expect(await told.promise).toMatchObject({ code: Code.Canceled });
    }
  });

  test("begins no interceptor when the signal has fired already", async () => {
    let runs = 0;
    const client = open([
      (next) => (call) => {
        runs++;
        return next(call);
      },
    ]);
    const signal = AbortSignal.abort();
    expect(await failure(client.shout({}, { signal }))).toMatchObject({ code: Code.Canceled });
    expect(await failure(all(client.count({}, { signal })))).toMatchObject({ code: Code.Canceled });
    expect(runs).toBe(0);
  });

  test("leaving a stream whose interceptors have not answered ends them, and whatever they open later", async () => {
    const pushed = createPushStream<{ value: number }>();
    const go = Promise.withResolvers<void>();
    let signal: AbortSignal | undefined;
    const slow: Interceptor = (next) => async (call) => {
      signal = call.signal;
      await go.promise;
      return next({ ...call, signal: new AbortController().signal });
    };
    const client = open([slow], { count: () => pushed });
    const responses = client.count({});
    const waiting = responses.next();
    expect(await responses.return()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(signal?.reason).toMatchObject({ code: Code.Canceled, rawMessage: "the caller stopped reading" });
    go.resolve();
    await turns();
    expect(await failure(pushed.push({ value: 1 }))).toMatchObject({ code: Code.Canceled });
  });

  test.each([
    ["throw()", (responses: ResponseStream<unknown>) => responses.throw(new Error("mine"))],
    ["disposal", (responses: ResponseStream<unknown>) => responses[Symbol.asyncDispose]()],
  ])("comes with %s as with break", async (name, leave) => {
    const pushed = createPushStream<{ value: number }>();
    const client = open([(next) => (call) => next(call)], { count: () => pushed });
    const responses = client.count({});
    void pushed.push({ value: 0 });
    await responses.next();
    const left = Promise.resolve(leave(responses));
    if (name === "throw()") expect(await failure(left)).toMatchObject({ message: "mine" });
    else await left;
    expect(await responses.next()).toEqual({ done: true, value: undefined });
    await turns();
    expect(await failure(pushed.push({ value: 1 }))).toMatchObject({ code: Code.Canceled });
  });

  test("reaches the server also where an interceptor passes no end on", async () => {
    const deaf: Interceptor = (next) => async (call) => {
      const { messages } = (await next(call)) as StreamReply;
      const source = messages[Symbol.asyncIterator]();
      return { stream: true, messages: { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) } };
    };
    const pushed = createPushStream<{ value: number }>();
    const client = open([deaf], { count: () => pushed });
    void pushed.push({ value: 1 });
    for await (const _ of client.count({})) break;
    expect(await failure(pushed.push({ value: 2 }))).toMatchObject({ code: Code.Canceled });
  });

  test("comes at once while an interceptor's generator waits, and cleans it up", async () => {
    let ended = 0;
    const tap: Interceptor = (next) => async (call) => {
      const { messages } = (await next(call)) as StreamReply;
      return { stream: true, messages: stream(messages, () => ended++) };
    };
    const client = open([tap], {
      async *count() {
        yield { value: 1 };
        await new Promise(() => {});
      },
    });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const responses = client.count({}, { timeoutMs: 1000 });
    await responses.next();
    const waiting = failure(responses.next());
    await turns();
    vi.advanceTimersByTime(1000);
    expect(await waiting).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    expect(await responses.next()).toEqual({ done: true, value: undefined });
    await turns();
    expect(ended).toBe(1);
  });

  test("a deadline between two reads is told by the next one", async () => {
    const client = open([(next) => (call) => next(call)], {
      async *count(_, { signal }) {
        yield { value: 1 };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const control = new AbortController();
    const responses = client.count({}, { signal: control.signal });
    await responses.next();
    control.abort();
    await turns();
    expect(await failure(responses.next())).toMatchObject({ code: Code.Canceled });
  });

  test("an error in the middle of a stream passes through, once", async () => {
    const client = open([(next) => (call) => next(call)], {
      async *count() {
        yield { value: 1 };
        throw new RpcError(Code.DataLoss, "x");
      },
    });
    const responses = client.count({});
    await responses.next();
    expect(await failure(responses.next())).toMatchObject({ code: Code.DataLoss });
    expect(await responses.next()).toEqual({ done: true, value: undefined });
  });

  test("ends the caller's own requests, also where an interceptor's generator waits for them", async () => {
    const tap: Interceptor = (next) => (call) =>
      call.stream ? next({ ...call, messages: stream(call.messages) }) : next(call);
    for (const interceptors of [[tap], [never]]) {
      const requests = createPushStream<{ value: string }>();
      const call = open(interceptors, { join: () => ({ value: "done" }) }).join(requests, { timeoutMs: 5 });
      await call.catch(() => {});
      expect(await failure(requests.push({ value: "" }))).toMatchObject({ code: Code.Canceled });
    }
  });

  test("leaves no listener, and no signal that fires later", async () => {
    const signals: AbortSignal[] = [];
    const look: Interceptor = (next) => (call) => {
      signals.push(call.signal);
      return next(call);
    };
    const client = open([look]);
    const control = new AbortController();
    const options = { signal: control.signal, timeoutMs: 60_000 };
    await client.shout({}, options);
    await all(client.count({ value: 2 }, options));
    await client.join([], options);
    expect(listeners(control.signal)).toBe(0);
    control.abort();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
  });

  test("requests that are none, and options that are wrong, fail the call", async () => {
    const client = open([(next) => (call) => next(call)]);
    expect(await failure(client.join(7 as never))).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "the requests are no iterable",
    });
    expect(await failure(client.shout({ value: 7 as never }))).toMatchObject({ code: Code.InvalidArgument });
    expect(await failure(client.shout({}, { timeoutMs: -1 }))).toMatchObject({ code: Code.InvalidArgument });
    const responses = client.count({}, { timeoutMs: -1 });
    expect(await failure(responses.next())).toMatchObject({ code: Code.InvalidArgument });
    expect(await responses.next()).toEqual({ done: true, value: undefined });
    const disposed = client.count({}, { timeoutMs: -1 });
    await disposed.return();
    expect(await disposed.next()).toEqual({ done: true, value: undefined });
  });
});
