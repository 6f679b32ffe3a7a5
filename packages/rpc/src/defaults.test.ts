// Call defaults of channels and clients: what comes first, what is joined, and that nothing costs nothing.
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { CallDefaults, CallOptions, Channel } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { withDefaults } from "./defaults.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor } from "./interceptor.js";
import { Metadata } from "./metadata.js";
import { all, failure, Words, words } from "./words.test.support.js";

const pass: Interceptor = (next) => (call) => next(call);

/** A channel that records the options of its calls; what transports get. */
function recording(): { channel: Channel; seen: CallOptions[]; closed: () => number } {
  const seen: CallOptions[] = [];
  let closed = 0;
  const channel: Channel = {
    target: "test:",
    async unary(_method, _request, options) {
      seen.push(options ?? {});
      return { $typeName: "google.protobuf.StringValue", value: "x" } as never;
    },
    stream(_method, _request, options) {
      seen.push(options ?? {});
      return (async function* () {})() as never;
    },
    async close() {
      closed++;
    },
    async [Symbol.asyncDispose]() {
      closed++;
    },
  };
  return { channel, seen, closed: () => closed };
}

async function call(channel: Channel, options?: CallOptions): Promise<void> {
  const client = createClient(Words, channel);
  await client.shout({}, options);
  await all(client.count({}, options));
}

test("without any default the channel itself is given back, and calls without options have none", async () => {
  const { channel, seen } = recording();
  expect(withDefaults(channel, {})).toBe(channel);
  expect(withDefaults(channel, { interceptors: [] })).toBe(channel);
  await call(channel);
  expect(seen).toEqual([{}, {}]);
});

// The same rules with interceptors and without.
describe.each([
  ["plain", []],
  ["through interceptors", [pass]],
])("%s", (_, interceptors) => {
  const make = (channel: Channel, defaults: CallDefaults): Channel =>
    withDefaults(channel, { interceptors, ...defaults });

  test("target and close are the channel's own", async () => {
    const { channel, closed } = recording();
    const made = make(channel, { timeoutMs: 5 });
    expect(made.target).toBe("test:");
    await made.close();
    await made[Symbol.asyncDispose]();
    expect(closed()).toBe(2);
  });

  test("a call's timeout comes before the client's, that before the channel's; 0 and Infinity take it away", async () => {
    const { channel, seen } = recording();
    const outer = make(make(channel, { timeoutMs: 60_000 }), { metadata: { a: "1" } });
    const own = make(outer, { timeoutMs: 30_000 });
    const given = async (made: Channel, options?: CallOptions): Promise<(number | undefined)[]> => {
      await call(made, options);
      return seen.splice(0).map(({ timeoutMs }) => (timeoutMs ? Math.ceil(timeoutMs / 10_000) : timeoutMs));
    };
    expect(await given(outer)).toEqual([6, 6]);
    expect(await given(own)).toEqual([3, 3]);
    expect(await given(own, { timeoutMs: 10_000 })).toEqual([1, 1]);
    expect(await given(own, { timeoutMs: 0 })).toEqual([0, 0]);
    expect(await given(own, { timeoutMs: Number.POSITIVE_INFINITY })).toEqual([Infinity, Infinity]);
    // Without any, the option is absent, so that what a channel below has of its own holds.
    await call(make(channel, { metadata: { a: "1" } }));
    expect(seen.some((options) => "timeoutMs" in options)).toBe(false);
  });

  test.each([undefined, 60_000])("a timeout of null is refused by name, not taken for none: default %s", async (ms) => {
    const channel = createInProcessChannel((router) => router.service(Words, words));
    const client = createClient(Words, make(channel, ms === undefined ? {} : { timeoutMs: ms }));
    const options = { timeoutMs: null as never };
    const calls = [client.shout({}, options), client.join([], options), all(client.count({}, options))];
    const expected = {
      code: Code.InvalidArgument,
      rawMessage: "timeoutMs must be a number of milliseconds from 0 on, not null",
    };
    expect(await Promise.all(calls.map(failure))).toMatchObject(calls.map(() => expected));
  });

  test("metadata is joined: the channel's, the client's, the call's; nobody's object is changed", async () => {
    const { channel, seen } = recording();
    const shared = new Metadata({ a: "channel" });
    const own = new Metadata({ a: "call" });
    const made = make(make(channel, { metadata: shared }), { metadata: { a: "client", b: "client" } });
    shared.append("late", "x");
    await call(made, { metadata: own });
    const expected = [
      ["a", "channel"],
      ["a", "client"],
      ["b", "client"],
      ["a", "call"],
    ];
    expect(seen.map(({ metadata }) => [...new Metadata(metadata)])).toEqual([expected, expected]);
    expect(own.size).toBe(1);
    seen.length = 0;
    await call(make(channel, { metadata: { a: "1" } }));
    expect(seen.map(({ metadata }) => [...new Metadata(metadata)])).toEqual([[["a", "1"]], [["a", "1"]]]);
  });

  test.each([0, 1, 2])(
    "any of the signals of channel, client and call ends it (%s), and no listener is left",
    async (at) => {
      const controls = [new AbortController(), new AbortController(), new AbortController()];
      const [a, b, c] = controls.map(({ signal }) => signal) as [AbortSignal, AbortSignal, AbortSignal];
      const waiting: Channel = {
        ...recording().channel,
        unary: (_method, _request, options) =>
          new Promise((_, reject) => options?.signal?.addEventListener("abort", () => reject(options.signal?.reason))),
      };
      const made = make(make(waiting, { signal: a }), { signal: b });
      const call = failure(createClient(Words, made).shout({}, { signal: c }));
      controls[at]?.abort("why");
      const error = await call;
      // The channel of this test rejects with the bare reason; where interceptors run, the call is ended before it.
      expect(error instanceof Error ? error.cause : error).toBe("why");
      expect([a, b, c].map((signal) => getEventListeners(signal, "abort").length)).toEqual([0, 0, 0]);
    },
  );

  test.each([
    ["a timeout", { timeoutMs: -1 }, "timeoutMs"],
    ["a timeout of null", { timeoutMs: null as never }, "timeoutMs"],
    ["metadata", { metadata: { "a b": "1" } }, "a b"],
    ["an interceptor that is no function", { interceptors: [pass, 7 as never] }, "interceptor 1 is not a function"],
    ["one that makes no function", { interceptors: [(() => {}) as never] }, "interceptor 0 does not return a function"],
  ])("%s that is wrong is refused at once, by name", (_, defaults, text) => {
    const attempt = () => make(recording().channel, defaults);
    expect(attempt).toThrow(text);
    expect(attempt).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  });
});
