// How a call that runs through a client's interceptors ends: deadline, signals, leaving early, while any of them waits.
import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Code } from "./code.js";
import { open, stream } from "./intercepted.test.support.js";
import type { Interceptor, StreamReply } from "./interceptor.js";
import type { ResponseStream } from "./method.js";
import { createPushStream } from "./push-stream.js";
import type { Handlers } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, turns, type Words } from "./words.test.support.js";

afterEach(() => void vi.useRealTimers());

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
