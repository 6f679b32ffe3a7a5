// What is in force: nothing without an SDK, and an SDK that is registered, replaced or given later counts at once.

import { readFileSync } from "node:fs";
import { createClient, createInProcessChannel, createRouter, type Interceptor } from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { propagation } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, expect, test } from "vitest";
import { schemaUrl, scopeName, scopeVersion } from "./conventions.js";
import { otel } from "./otel.js";
import { startSdk } from "./sdk.test.support.js";

afterEach(() => propagation.disable());

function open(telemetry: { client: Interceptor; server: Interceptor }) {
  const seen: (string | undefined)[] = [];
  const router = createRouter({ interceptors: [telemetry.server] }).service(EchoService, {
    ...echoHandlers,
    echo(_, { metadata }) {
      seen.push(metadata.get("traceparent"));
      return {};
    },
  });
  const client = createClient(EchoService, createInProcessChannel(router), { interceptors: [telemetry.client] });
  return { client, seen };
}

test("without an SDK calls are passed on as they are: the very object, and no metadata", async () => {
  const telemetry = otel();
  const given: unknown[] = [];
  const look: Interceptor = (next) => (call) => {
    given.push(call);
    return next(call);
  };
  const inner = telemetry.client((call) => {
    given.push(call);
    return Promise.reject(new Error("far enough"));
  });
  const { client, seen } = open({ client: look, server: telemetry.server });
  await client.echo({});
  await inner(given[0] as never).catch(() => {});
  expect(given[1]).toBe(given[0]);
  expect(seen).toEqual([undefined]);
});

test("an SDK that comes later counts from then on, and one that goes no more", async () => {
  const { client, seen } = open(otel());
  await client.echo({});
  const first = startSdk();
  await client.echo({});
  first.stop();
  await client.echo({});
  const second = startSdk();
  await client.echo({});
  second.stop();
  expect(seen.map((parent) => parent !== undefined)).toEqual([false, true, false, true]);
  expect(first.spans()).toHaveLength(2);
  expect(second.spans()).toHaveLength(2);
  expect((await second.measured())["rpc.client.call.duration"]?.points[0]?.value.count).toBe(1);
});

test("providers and a propagator of its own need nothing global", async () => {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const { client, seen } = open(otel({ tracerProvider, propagator: new W3CTraceContextPropagator() }));
  await client.echo({});
  const [served, made] = exporter.getFinishedSpans();
  expect(served?.parentSpanContext?.spanId).toBe(made?.spanContext().spanId);
  expect(seen[0]).toContain(made?.spanContext().traceId);
});

test("with a propagator and no SDK, a trace that comes in is carried on", async () => {
  const telemetry = otel({ propagator: new W3CTraceContextPropagator() });
  const { client, seen } = open({ client: (next) => next, server: telemetry.server });
  await client.echo({}, { metadata: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } });
  expect(seen[0]).toContain("0af7651916cd43dd8448eb211c80319c");
});

test("the scope's version is the package's", () => {
  const { name, version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect([scopeName, scopeVersion]).toEqual([name, version]);
  expect(schemaUrl).toMatch(/^https:\/\/opentelemetry\.io\/schemas\/\d+\.\d+\.\d+$/);
});
