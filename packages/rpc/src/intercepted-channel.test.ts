// Interceptors on the client's side: what they see of a call and what they may change.
import { describe, expect, test } from "vitest";
import type { CallOptions, Channel } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createContextKey, createContextValues } from "./context-values.js";
import { createInProcessChannel } from "./in-process.js";
import { open, stream, text } from "./intercepted.test.support.js";
import type { CallInfo, Interceptor, UnaryCall, UnaryReply } from "./interceptor.js";
import type { Handlers } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, Words, words } from "./words.test.support.js";

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

  test("values that a channel below sets are seen above it, also by who has not looked before", async () => {
    const key = createContextKey("");
    const set: Interceptor = (next) => (call) => {
      call.values.set(key, "set below");
      return next(call);
    };
    const below = createInProcessChannel((router) => router.service(Words, words), { interceptors: [set] });
    // A channel of somebody's own, so that the two layers know nothing of each other.
    const between: Channel = {
      target: below.target,
      unary: (...given) => below.unary(...given),
      stream: (...given) => below.stream(...given),
      close: () => below.close(),
      [Symbol.asyncDispose]: () => below.close(),
    };
    const seen: string[] = [];
    const look: Interceptor = (next) => async (call) => {
      const reply = await next(call);
      seen.push(call.values.get(key));
      return reply;
    };
    const client = createClient(Words, between, { interceptors: [look] });
    await client.shout({});
    await client.join([{ value: "x" }]);
    expect(seen).toEqual(["set below", "set below"]);
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
