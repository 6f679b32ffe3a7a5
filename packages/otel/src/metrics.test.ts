// Metrics with the real SDK: names, units, buckets, attributes, and that nothing a caller chooses multiplies them.
import { Code, createClient, createInProcessChannel, createRouter } from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { SpanKind } from "@opentelemetry/api";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { OtelOptions } from "./options.js";
import { otel } from "./otel.js";
import { type Measured, type Sdk, startSdk } from "./sdk.test.support.js";

let sdk: Sdk;
beforeEach(() => {
  sdk = startSdk();
});
afterEach(() => {
  sdk.stop();
  vi.unstubAllEnvs();
});

function open(options: OtelOptions = {}) {
  const telemetry = otel(options);
  const router = createRouter({ interceptors: [telemetry.server] }).service(EchoService, echoHandlers);
  return createClient(EchoService, createInProcessChannel(router), { interceptors: [telemetry.client] });
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

const attributesOf = (measured: Measured | undefined): unknown[] => measured?.points.map((p) => p.attributes) ?? [];
const counts = (measured: Measured | undefined): number[] => measured?.points.map((p) => p.value.count) ?? [];

const names = { "rpc.system.name": "in-process", "rpc.method": "guestwire.test.v1.EchoService/Echo" };

test("durations are in seconds, with the advised buckets and the conventions' attributes", async () => {
  const client = open();
  await client.echo({});
  await client.echo({});
  const found = await sdk.measured();
  expect(Object.keys(found).sort()).toEqual(["rpc.client.call.duration", "rpc.server.call.duration"]);
  const { unit, points } = found["rpc.client.call.duration"] as Measured;
  expect(unit).toBe("s");
  expect(points[0]?.value.buckets.boundaries).toEqual([
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
  ]);
  expect(attributesOf(found["rpc.client.call.duration"])).toEqual([
    { ...names, "rpc.response.status_code": "OK", "server.address": "in-process:" },
  ]);
  expect(attributesOf(found["rpc.server.call.duration"])).toEqual([{ ...names, "rpc.response.status_code": "OK" }]);
  expect(counts(found["rpc.server.call.duration"])).toEqual([2]);
});

test("the metric's value is the span's duration", async () => {
  const client = open();
  await client.echo({});
  const { points } = (await sdk.measured())["rpc.client.call.duration"] as Measured;
  const [seconds, nanos] = sdk.span(SpanKind.CLIENT).duration;
  expect(points[0]?.value.sum).toBeCloseTo(seconds + nanos / 1e9, 6);
});

test("codes and error types are told apart; callers' texts, metadata and addresses are not", async () => {
  const client = open();
  for (let i = 0; i < 20; i++) {
    await client.fail({ code: Code.NotFound, message: `no thing ${i}` }, { metadata: { id: `${i}` } }).catch(() => {});
  }
  await client.fail({ code: Code.Internal, message: "x" }).catch(() => {});
  const found = await sdk.measured();
  const method = { ...names, "rpc.method": "guestwire.test.v1.EchoService/Fail" };
  expect(attributesOf(found["rpc.server.call.duration"])).toEqual([
    { ...method, "rpc.response.status_code": "NOT_FOUND" },
    { ...method, "rpc.response.status_code": "INTERNAL", "error.type": "INTERNAL" },
  ]);
  expect(attributesOf(found["rpc.client.call.duration"])).toEqual([
    { ...method, "server.address": "in-process:", "rpc.response.status_code": "NOT_FOUND", "error.type": "NOT_FOUND" },
    { ...method, "server.address": "in-process:", "rpc.response.status_code": "INTERNAL", "error.type": "INTERNAL" },
  ]);
});

test("a stream is measured once, at its end", async () => {
  const client = open();
  await drain(client.split({ count: 5 }));
  for await (const _ of client.split({ count: 5 })) break;
  await new Promise((resolve) => setImmediate(resolve));
  const found = (await sdk.measured())["rpc.client.call.duration"];
  expect(found?.points.map((p) => [p.attributes["rpc.response.status_code"], p.value.count])).toEqual([
    ["OK", 1],
    ["CANCELLED", 1],
  ]);
});

test("the server's address can be left out", async () => {
  await open({ metricServerAddress: false }).echo({});
  expect(attributesOf((await sdk.measured())["rpc.client.call.duration"])).toEqual([
    { ...names, "rpc.response.status_code": "OK" },
  ]);
});

test("sizes and numbers of messages are measured when asked for", async () => {
  const client = open({ messageMetrics: true });
  await client.join([{ text: "abc" }, { text: "a" }]);
  const found = await sdk.measured();
  for (const side of ["client", "server"]) {
    const requests = found[`rpc.${side}.request.size`] as Measured;
    expect(requests.unit).toBe("By");
    // A text field of one byte of tag and one of length.
    expect(requests.points[0]?.value).toMatchObject({ count: 2, sum: 8, min: 3, max: 5 });
    expect(found[`rpc.${side}.response.size`]?.points[0]?.value).toMatchObject({ count: 1, sum: 6 });
    expect(found[`rpc.${side}.requests_per_rpc`]?.points[0]?.value).toMatchObject({ count: 1, sum: 2 });
    expect(found[`rpc.${side}.responses_per_rpc`]?.points[0]?.value).toMatchObject({ count: 1, sum: 1 });
  }
});

describe("conventions", () => {
  const old = {
    "rpc.system": "in-process",
    "rpc.service": "guestwire.test.v1.EchoService",
    "rpc.method": "Echo",
    "rpc.grpc.status_code": 0,
  };

  test("old: the names up to 1.37", async () => {
    await open({ conventions: "old" }).echo({});
    const found = await sdk.measured();
    expect(Object.keys(found).sort()).toEqual(["rpc.client.duration", "rpc.server.duration"]);
    expect(found["rpc.server.duration"]?.unit).toBe("ms");
    expect(attributesOf(found["rpc.server.duration"])).toEqual([old]);
    expect(sdk.span(SpanKind.SERVER).attributes).toEqual(old);
  });

  test.each([
    ["the option", { conventions: "both" } as OtelOptions, ""],
    ["OTEL_SEMCONV_STABILITY_OPT_IN", {}, "http, rpc/dup"],
  ])("both, by %s: metrics of each, spans with all, the shared key with its new meaning", async (_, options, optIn) => {
    vi.stubEnv("OTEL_SEMCONV_STABILITY_OPT_IN", optIn);
    await open(options).echo({});
    const found = await sdk.measured();
    expect(attributesOf(found["rpc.server.duration"])).toEqual([old]);
    expect(attributesOf(found["rpc.server.call.duration"])).toEqual([{ ...names, "rpc.response.status_code": "OK" }]);
    expect(sdk.span(SpanKind.SERVER).attributes).toEqual({ ...old, ...names, "rpc.response.status_code": "OK" });
  });

  test("the option goes before the variable, and a wrong one is refused", async () => {
    vi.stubEnv("OTEL_SEMCONV_STABILITY_OPT_IN", "rpc/dup");
    await open({ conventions: "new" }).echo({});
    expect(Object.keys(await sdk.measured())).toHaveLength(2);
    expect(() => otel({ conventions: "stable" as never })).toThrow('conventions must be "new", "old" or "both"');
  });
});
