// Traces over every transport with the real SDK: what continues what, and what spans say.
import { Code, type Interceptor, RpcError } from "@guestwire/rpc";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AlwaysOffSampler, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  all,
  type EchoClient,
  type OpenArguments,
  openEcho,
  type Sdk,
  startSdk,
  type Transport,
  transports,
} from "./sdk.test.support.js";

let sdk: Sdk;
const closes: (() => Promise<void>)[] = [];
beforeEach(() => {
  sdk = startSdk();
});
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
  sdk.stop();
});

describe.each(transports)("over $system", (transport) => {
  const { system } = transport;

  const open = async (...given: OpenArguments): ReturnType<typeof openEcho> => {
    const opened = await openEcho(transport, ...given);
    closes.push(opened.close);
    return opened;
  };

  const kinds: [string, (client: EchoClient) => Promise<unknown>][] = [
    ["Echo", (client) => client.echo({ text: "a" })],
    ["Split", (client) => all(client.split({ count: 3 }))],
    ["Join", (client) => client.join([{ text: "a" }, { text: "b" }])],
    ["Chat", (client) => all(client.chat([{ text: "a" }, { text: "b" }]))],
  ];

  test.each(kinds)("%s: one trace from the caller's span to the handler's", async (name, call) => {
    const { client } = await open();
    await trace.getTracer("test").startActiveSpan("caller", async (span) => {
      await call(client);
      span.end();
    });
    await sdk.until(3);
    const caller = sdk.span(SpanKind.INTERNAL);
    const made = sdk.span(SpanKind.CLIENT);
    const served = sdk.span(SpanKind.SERVER);
    expect([made.name, served.name]).toEqual(Array(2).fill(`guestwire.test.v1.EchoService/${name}`));
    expect(made.parentSpanContext?.spanId).toBe(caller.spanContext().spanId);
    expect(served.parentSpanContext).toMatchObject({ spanId: made.spanContext().spanId, isRemote: true });
    expect(new Set(sdk.spans().map((span) => span.spanContext().traceId)).size).toBe(1);
    for (const span of [made, served]) {
      expect(span.attributes).toMatchObject({
        "rpc.system.name": system,
        "rpc.method": `guestwire.test.v1.EchoService/${name}`,
        "rpc.response.status_code": "OK",
      });
      expect(span.attributes).not.toHaveProperty("error.type");
      expect(span.status.code).toBe(SpanStatusCode.UNSET);
      expect(span.instrumentationScope).toMatchObject({ name: "@guestwire/otel" });
    }
    expect(made.attributes["server.address"]).toMatch(system === "in-process" ? /^in-process:$/ : /^\/.*o\.sock$/);
    expect(made.attributes).not.toHaveProperty("server.port");
  });

  test("calls made in a handler, also in one that streams, are children of its span", async () => {
    const { client: inner } = await open();
    const { client: outer } = await open({
      async echo({ text }) {
        return { text: (await inner.echo({ text })).text };
      },
      async *split() {
        for (let i = 0; i < 2; i++) yield { text: (await inner.echo({ text: "x" })).text };
      },
    });
    await outer.echo({ text: "a" });
    await all(outer.split({}));
    await sdk.until(10);
    const served = sdk.spans().filter(({ kind }) => kind === SpanKind.SERVER);
    const made = sdk.spans().filter(({ kind }) => kind === SpanKind.CLIENT);
    const ids = new Map(sdk.spans().map((span) => [span.spanContext().spanId, span.name]));
    const nested = made.filter(({ parentSpanContext }) => parentSpanContext !== undefined);
    expect(nested.map(({ parentSpanContext }) => ids.get(parentSpanContext?.spanId ?? ""))).toEqual([
      "guestwire.test.v1.EchoService/Echo",
      "guestwire.test.v1.EchoService/Split",
      "guestwire.test.v1.EchoService/Split",
    ]);
    expect(served).toHaveLength(5);
    expect(new Set(sdk.spans().map((span) => span.spanContext().traceId)).size).toBe(2);
  });

  test("baggage and tracestate travel, and what stands under the same names is replaced", async () => {
    let seen: unknown;
    const { client } = await open({
      echo(_, { metadata }) {
        const entry = propagation.getBaggage(context.active())?.getEntry("user");
        seen = [entry?.value, metadata.getAll("traceparent").length, metadata.get("baggage")];
        return {};
      },
    });
    const baggage = propagation.createBaggage({ user: { value: "ann" } });
    await context.with(propagation.setBaggage(context.active(), baggage), () =>
      client.echo({}, { metadata: { traceparent: "00-old", baggage: "user=bob" } }),
    );
    expect(seen).toEqual(["ann", 1, "user=ann"]);
  });

  test("requests are made in the caller's context, not in the call's", async () => {
    const { client } = await open();
    const active: (string | undefined)[] = [];
    async function* requests() {
      active.push(trace.getActiveSpan()?.spanContext().spanId);
      yield { text: "a" };
      active.push(trace.getActiveSpan()?.spanContext().spanId);
    }
    await trace.getTracer("test").startActiveSpan("caller", async (span) => {
      await client.join(requests());
      expect(active).toEqual(Array(2).fill(span.spanContext().spanId));
      span.end();
    });
  });

  test("a repeated call is one client span with two server spans", async () => {
    let failures = 1;
    const retry: Interceptor = (next) => async (call) => {
      try {
        return await next(call);
      } catch {
        return next(call);
      }
    };
    const { client } = await open(
      {
        echo: () => {
          if (failures-- > 0) throw new RpcError(Code.Unavailable, "not yet");
          return {};
        },
      },
      {},
      { client: [retry] },
    );
    await client.echo({});
    await sdk.until(3);
    const made = sdk.span(SpanKind.CLIENT);
    const served = sdk.spans().filter(({ kind }) => kind === SpanKind.SERVER);
    expect(served.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      Array(2).fill(made.spanContext().spanId),
    );
  });

  test("ignored paths leave no trace, and carry none on", async () => {
    let seen: string | undefined;
    const { client } = await open(
      {
        echo: (_, { metadata }) => {
          seen = metadata.get("traceparent");
          return {};
        },
      },
      { ignore: (path) => path.endsWith("/Echo") },
    );
    await client.echo({});
    expect(seen).toBeUndefined();
    expect(sdk.spans()).toEqual([]);
    expect(await sdk.measured()).toEqual({});
  });

  test("hooks add attributes at the beginning and at the end, and their faults stay theirs", async () => {
    const { client } = await open(
      {},
      {
        requestMetadata: ["X-Req"],
        attributes: (call, side) => ({ "app.side": side, "app.stream": call.stream }),
        onEnd(span, _, { code, durationMs }) {
          span.setAttribute("app.code", code);
          if (durationMs >= 0) throw new Error("a fault in a hook");
        },
      },
    );
    await client.echo({}, { metadata: { "x-req": "1" } });
    await sdk.until(2);
    for (const [kind, side] of [[SpanKind.CLIENT, "client"] as const, [SpanKind.SERVER, "server"] as const]) {
      expect(sdk.span(kind).attributes).toMatchObject({
        "app.side": side,
        "app.stream": false,
        "app.code": 0,
        "rpc.request.metadata.x-req": ["1"],
      });
    }
  });

  test("messages are events when asked for", async () => {
    const { client } = await open({}, { messageEvents: true });
    await all(client.split({ count: 2 }));
    await sdk.until(2);
    const told = (span: ReadableSpan): unknown[] =>
      span.events.map(({ name, attributes }) => [
        name,
        attributes?.["rpc.message.type"],
        attributes?.["rpc.message.id"],
      ]);
    const m = "rpc.message";
    expect(told(sdk.span(SpanKind.CLIENT))).toEqual([
      [m, "SENT", 1],
      [m, "RECEIVED", 1],
      [m, "RECEIVED", 2],
    ]);
    expect(told(sdk.span(SpanKind.SERVER))).toEqual([
      [m, "RECEIVED", 1],
      [m, "SENT", 1],
      [m, "SENT", 2],
    ]);
  });
});

test("a trace that is not sampled is carried on all the same", async () => {
  sdk.stop();
  sdk = startSdk({ sampler: new AlwaysOffSampler() });
  let seen: string | undefined;
  const { client, close } = await openEcho(transports[0] as Transport, {
    echo: (_, { metadata }) => {
      seen = metadata.get("traceparent");
      return {};
    },
  });
  closes.push(close);
  await client.echo({});
  expect(seen).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(sdk.spans()).toEqual([]);
});
