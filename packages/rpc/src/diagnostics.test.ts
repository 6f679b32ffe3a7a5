// Events of calls: who hears what, when, how often, and that nobody who does not listen is told anything.
import { AsyncLocalStorage } from "node:async_hooks";
import { type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import { afterEach, describe, expect, test } from "vitest";
import type { Channel } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { withDefaults } from "./defaults.js";
import { type CallEvent, type ClientCallEvent, clientCalls, type ServerCallEvent, serverCalls } from "./diagnostics.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor } from "./interceptor.js";
import { createRouter, type Handlers, type ServiceOptions } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, turns, Words, words } from "./words.test.support.js";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Heard<E> {
  readonly events: E[];
  readonly log: string[];
}

function hear<E extends CallEvent>(channel: TracingChannel<E, E>): Heard<E> {
  const heard: Heard<E> = { events: [], log: [] };
  const on = (moment: string) => (event: E) => {
    if (moment === "start") heard.events.push(event);
    heard.log.push(moment);
  };
  const subscribers = {
    start: on("start"),
    end: on("end"),
    asyncStart: on("asyncStart"),
    asyncEnd: on("asyncEnd"),
    error: on("error"),
  };
  channel.subscribe(subscribers as never);
  stops.push(() => channel.unsubscribe(subscribers as never));
  return heard;
}

function open(handlers: Partial<Handlers<typeof Words>> = {}, options: ServiceOptions = {}): Channel {
  return createInProcessChannel(createRouter(options).service(Words, { ...words, ...handlers }));
}

test("the channels are found by their names, as tracing channels are", () => {
  const heard = hear(tracingChannel("guestwire:client.call") as never as typeof clientCalls);
  expect(heard.log).toEqual([]);
  expect(clientCalls.hasSubscribers).toBe(true);
  expect(serverCalls.hasSubscribers).toBe(false);
});

const succeeding: [string, (channel: Channel) => Promise<unknown>, number, number][] = [
  ["Shout", (channel) => createClient(Words, channel).shout({ value: "a" }), 1, 1],
  ["Count", (channel) => all(createClient(Words, channel).count({ value: 3 })), 1, 3],
  ["Join", (channel) => createClient(Words, channel).join([{ value: "a" }, { value: "b" }]), 2, 1],
  ["Chat", (channel) => all(createClient(Words, channel).chat([{ value: "a" }, { value: "b" }])), 2, 2],
];

describe.each(succeeding)("%s", (name, call, sent, received) => {
  test("is told of on the client, once, with counts, code and duration", async () => {
    const { events, log } = hear(clientCalls);
    await call(open());
    expect(log).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
    expect(events).toMatchObject([
      { path: `/t.Words/${name}`, target: "in-process:", protocol: "in-process", sent, received, code: 0 },
    ]);
    expect(events[0]?.kind).toBe(events[0]?.method.methodKind);
    expect(events[0]?.durationMs).toBeGreaterThanOrEqual(0);
    expect(events[0]?.error).toBeUndefined();
  });

  test("is told of on the server, once, with the counts the other way", async () => {
    const { events, log } = hear(serverCalls);
    await call(open());
    await turns();
    expect(log.sort()).toEqual(["asyncEnd", "asyncStart", "end", "start"]);
    expect(events).toMatchObject([
      { path: `/t.Words/${name}`, protocol: "in-process", sent: received, received: sent, code: 0 },
    ]);
    expect(events[0]?.peer.address).toBe("in-process:");
  });

  test("gives the same with subscribers as without", async () => {
    const plain = await call(open());
    hear(clientCalls);
    hear(serverCalls);
    expect(await call(open())).toEqual(plain);
  });

  test("that fails is told of with its error on both sides", async () => {
    const client = hear(clientCalls);
    const server = hear(serverCalls);
    const fail = () => {
      throw new RpcError(Code.NotFound, "no such word");
    };
    const error = await failure(call(open({ shout: fail, count: fail, join: fail, chat: fail })));
    await turns();
    expect(client.events).toMatchObject([{ code: Code.NotFound, error }]);
    expect(client.log).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
    expect(server.events).toMatchObject([{ code: Code.NotFound, error: { rawMessage: "no such word" } }]);
    expect(server.log.filter((moment) => moment === "error")).toHaveLength(1);
  });

  test("that is refused is told of on the server all the same", async () => {
    const { events } = hear(serverCalls);
    await failure(call(open({}, { authorize: () => false })));
    await turns();
    expect(events).toMatchObject([{ code: Code.PermissionDenied, sent: 0 }]);
  });
});

test("a stream that its reader leaves is canceled without an error on the client", async () => {
  const client = hear(clientCalls);
  const server = hear(serverCalls);
  for await (const _ of createClient(Words, open()).count({ value: 1000 })) break;
  await turns();
  expect(client.events).toMatchObject([{ code: Code.Canceled, received: 1 }]);
  expect(client.events[0]?.error).toBeUndefined();
  expect(client.log).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
  expect(server.events).toMatchObject([{ code: Code.Canceled, error: { rawMessage: "the client canceled the call" } }]);
});

test("what the caller was told goes before what the handler came to afterwards", async () => {
  const { events } = hear(serverCalls);
  const gate = Promise.withResolvers<void>();
  const client = createClient(
    Words,
    open({
      async shout() {
        await gate.promise;
        return { value: "too late" };
      },
    }),
  );
  expect(await failure(client.shout({}, { timeoutMs: 1 }))).toMatchObject({ code: Code.DeadlineExceeded });
  expect(events[0]?.code).toBeUndefined();
  gate.resolve();
  await turns();
  expect(events).toMatchObject([{ code: Code.DeadlineExceeded }]);
});

test("interceptors, retries and layers make one call of one: what the caller made", async () => {
  const { events } = hear(clientCalls);
  let failures = 2;
  const channel = open({
    shout: () => {
      if (failures-- > 0) throw new RpcError(Code.Unavailable, "not yet");
      return { value: "A" };
    },
  });
  const retry: Interceptor = (next) => async (call) => {
    for (;;) {
      try {
        return await next(call);
      } catch {}
    }
  };
  const layered = withDefaults(withDefaults(channel, { timeoutMs: 1000 }), { metadata: { a: "1" } });
  await createClient(Words, layered, { interceptors: [retry] }).shout({});
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ code: 0, received: 1 });
});

test("a subscriber may add metadata at start, and sees the call's own", async () => {
  const inject = (event: unknown): void => {
    expect((event as ClientCallEvent).metadata.get("own")).toBe("1");
    (event as ClientCallEvent).metadata.set("added", "2");
  };
  clientCalls.start.subscribe(inject);
  stops.push(() => clientCalls.start.unsubscribe(inject));
  const channel = open({ shout: (_, { metadata }) => ({ value: `${metadata.get("own")}${metadata.get("added")}` }) });
  const options = { metadata: { own: "1" } };
  expect(await createClient(Words, channel).shout({}, options)).toMatchObject({ value: "12" });
  expect(options).toEqual({ metadata: { own: "1" } });
});

test("a store that a subscriber binds to start is there in the handler", async () => {
  const store = new AsyncLocalStorage<ServerCallEvent>();
  serverCalls.start.bindStore(store as never);
  stops.push(() => serverCalls.start.unbindStore(store as never));
  const channel = open({
    async shout() {
      await turns(1);
      return { value: store.getStore()?.path ?? "none" };
    },
  });
  expect(await createClient(Words, channel).shout({})).toMatchObject({ value: "/t.Words/Shout" });
});

test("wrong metadata is the call's own error, also with subscribers", async () => {
  const { events } = hear(clientCalls);
  const error = await failure(createClient(Words, open()).shout({}, { metadata: { "a b": "1" } }));
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  expect(events).toMatchObject([{ code: Code.InvalidArgument }]);
});

test("a channel that a user made is not told of twice, nor at all by itself", async () => {
  const { events } = hear(clientCalls);
  const inner = open();
  const own: Channel = {
    target: "mine",
    unary: (method, request, options) => inner.unary(method, request, options),
    stream: (method, request, options) => inner.stream(method, request, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
  await createClient(Words, own, { timeoutMs: 1000 }).shout({ value: "a" });
  expect(events).toMatchObject([{ target: "in-process:" }]);
});

test("calls that began before the first subscriber are not told of halfway", async () => {
  const gate = Promise.withResolvers<void>();
  const channel = open({
    async shout() {
      await gate.promise;
      return {};
    },
  });
  const answer = createClient(Words, channel).shout({});
  await turns();
  const heard = [hear(clientCalls), hear(serverCalls)];
  gate.resolve();
  await answer;
  await turns();
  expect(heard.map(({ log }) => log)).toEqual([[], []]);
});
