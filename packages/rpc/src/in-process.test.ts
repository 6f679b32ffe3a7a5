// What only the in-process channel has; what all channels have alike is tested by the testkit's channel suite.
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { CallOptions } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createInProcessChannel } from "./in-process.js";
import { Metadata } from "./metadata.js";
import { createPushStream } from "./push-stream.js";
import { createRouter, type Handlers } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, turns, Words, words } from "./words.test.support.js";

function open(handlers: Partial<Handlers<typeof Words>> = {}) {
  const channel = createInProcessChannel((router) => router.service(Words, { ...words, ...handlers }));
  return { channel, client: createClient(Words, channel) };
}

describe("making one", () => {
  test("takes a router or a function", async () => {
    const router = createRouter().service(Words, words);
    for (const routes of [router, (registry: typeof router) => void registry.service(Words, words)]) {
      await using channel = createInProcessChannel(routes as never);
      expect(channel.target).toBe("in-process:");
      expect(await createClient(Words, channel).shout({ value: "x" })).toMatchObject({ value: "X" });
    }
  });

  test.each([undefined, null, {}, "unix:///x"])("refuses %s", (routes) => {
    expect(() => createInProcessChannel(routes as never)).toThrow("takes a router, or a function that gets one");
  });
});

describe("streams", () => {
  test("wait in both directions once 16 messages are not read", async () => {
    let made = 0;
    let taken = 0;
    const go = Promise.withResolvers<void>();
    const { client, channel } = open({
      async *count() {
        for (;;) yield { value: ++made };
      },
      async join() {
        await go.promise;
        return {};
      },
    });
    function* endless() {
      for (;;) yield { value: String(++taken) };
    }
    const responses = client.count({});
    const joined = client.join(endless());
    await turns();
    expect([made, taken]).toEqual([16, 16]);
    await responses.next();
    await turns();
    expect(made).toBe(17);
    go.resolve();
    await joined;
    await channel.close();
  });

  test("handlers never run inside of the caller's own turn", async () => {
    const ran: string[] = [];
    const { client } = open({
      shout: () => {
        ran.push("shout");
        return {};
      },
      async *count() {
        ran.push("count");
        yield {};
      },
    });
    const calls = [client.shout({}), client.count({}).next()];
    expect(ran).toEqual([]);
    await Promise.all(calls);
    expect(ran).toEqual(["shout", "count"]);
  });

  test("a caller that left hears nothing of what the handler does later", async () => {
    const go = Promise.withResolvers<void>();
    const { client } = open({
      async *count() {
        yield { value: 1 };
        await go.promise;
        throw new Error("nobody hears this");
      },
      shout: async () => {
        await go.promise;
        throw new Error("nor this");
      },
    });
    const responses = client.count({});
    const shouted = failure(client.shout({}, { timeoutMs: 1 }));
    await responses.return();
    expect(await shouted).toMatchObject({ code: Code.DeadlineExceeded });
    go.resolve();
    await turns();
  });

  test("requests that throw when they are left, or cannot be begun, do no harm", async () => {
    const { client } = open({ join: async () => ({ value: "done" }) });
    const stubborn = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: () => {
          throw new Error("I stay");
        },
      }),
    };
    expect(await client.join(stubborn)).toMatchObject({ value: "done" });
    const broken = {
      [Symbol.iterator]: () => {
        throw new Error("no iterator");
      },
    };
    expect(await failure(open().client.join(broken))).toMatchObject({
      code: Code.Unknown,
      rawMessage: "the stream of requests failed: no iterator",
    });
  });
});

describe("the handler's view of the caller's end", () => {
  test("is an error of its own, without the caller's reason", async () => {
    const told = Promise.withResolvers<RpcError>();
    const { client } = open({
      async join(requests, context) {
        await failure(all(requests));
        told.resolve(context.signal.reason as RpcError);
        return {};
      },
    });
    const control = new AbortController();
    const call = failure(client.join(createPushStream<object>(), { signal: control.signal }));
    await turns();
    control.abort(new Error("private"));
    await call;
    const reason = await told.promise;
    expect(reason).toBeInstanceOf(RpcError);
    expect([reason.code, reason.rawMessage, reason.cause]).toEqual([
      Code.Canceled,
      "the client canceled the call",
      undefined,
    ]);
  });
});

describe("response metadata", () => {
  const handlers: Partial<Handlers<typeof Words>> = {
    shout(_, context) {
      context.responseHeader.set("h", "1");
      context.responseTrailer.set("t", "2");
      return {};
    },
    async *count(_, context) {
      context.responseHeader.set("h", "1");
      yield { value: 1 };
      context.responseTrailer.set("t", "2");
    },
    join(_, context) {
      context.responseTrailer.set("t", "2");
      throw new RpcError(Code.NotFound, "x");
    },
  };
  const record = (log: string[]): CallOptions => ({
    onHeader: (header) => log.push(`header ${JSON.stringify(header)}`),
    onTrailer: (trailer) => log.push(`trailer ${JSON.stringify(trailer)}`),
  });

  test("is given before the first message and at the end, empty where there is none", async () => {
    const { client } = open(handlers);
    const log: string[] = [];
    await client.shout({}, record(log));
    expect(log.splice(0)).toEqual(['header [["h","1"]]', 'trailer [["t","2"]]']);
    await all(client.count({}, record(log)));
    expect(log.splice(0)).toEqual(['header [["h","1"]]', 'trailer [["t","2"]]']);
    await all(client.chat([{ value: "x" }], record(log)));
    expect(log).toEqual(["header []", "trailer []"]);
  });

  test("comes with an error, also as part of it", async () => {
    const { client } = open(handlers);
    const log: string[] = [];
    const error = RpcError.from(await failure(client.join([], record(log))));
    expect(log).toEqual(['trailer [["t","2"]]']);
    expect(error.metadata).toEqual(new Metadata({ t: "2" }));
    expect(
      RpcError.from(await failure(open({ shout: () => Promise.reject(1) }).client.shout({}))).metadata,
    ).toBeUndefined();
  });

  test("that comes after the caller has gone is not given", async () => {
    let heard = 0;
    const { client } = open({
      async shout(_, context) {
        context.responseTrailer.set("t", "2");
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        throw new Error("late");
      },
    });
    await failure(client.shout({}, { timeoutMs: 1, onTrailer: () => heard++ }));
    await turns();
    expect(heard).toBe(0);
  });

  test.each(["onHeader", "onTrailer"] as const)("%s that throws fails the call", async (name) => {
    const { client } = open(handlers);
    const thrown = new Error("mine");
    const options: CallOptions = {
      [name]: () => {
        throw thrown;
      },
    };
    const expected = { code: Code.Unknown, rawMessage: `${name} failed: mine`, cause: thrown };
    expect(await failure(client.shout({}, options))).toMatchObject(expected);
    expect(await failure(all(client.count({}, options)))).toMatchObject(expected);
  });
});

test("messages of the schema's class are copied like plain ones", async () => {
  let seen: unknown;
  const { client } = open({
    shout(request) {
      seen = request;
      return request;
    },
  });
  const request = create(StringValueSchema, { value: "x" });
  const response = await client.shout(request);
  expect(response).toEqual(request);
  expect(new Set([request, seen, response]).size).toBe(3);
});
