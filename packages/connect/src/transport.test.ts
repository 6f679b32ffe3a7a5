// What only a transport of ours has: options, the URL, requests that are no stream, headers that belong to another call.
import { Code as ConnectCode, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { type Channel, createInProcessChannel, Metadata } from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit";
import { expect, expectTypeOf, test } from "vitest";
import { headersOf } from "./headers.js";
import { toTransport } from "./transport.js";

const channel = createInProcessChannel((router) => router.service(EchoService, echoHandlers));

test("the types are those of both", () => {
  expectTypeOf(toTransport).parameter(0).toEqualTypeOf<Channel>();
  expectTypeOf(toTransport).returns.toEqualTypeOf<Transport>();
});

test("wrong arguments are refused by name", () => {
  expect(() => toTransport({} as Channel)).toThrow(/toTransport\(\) needs a channel/);
  expect(() => toTransport(channel, { interceptors: [7 as never] })).toThrow(/interceptor 0 is not a function/);
  expect(() => toTransport(channel, { defaultTimeoutMs: "5" as never })).toThrow(/timeoutMs/);
});

test("interceptors see the base URL that was given, or the channel's target", async () => {
  const urls: string[] = [];
  const look: Interceptor = (next) => (request) => {
    urls.push(request.url);
    return next(request);
  };
  for (const options of [{}, { baseUrl: "https://host/prefix/" }]) {
    await createClient(EchoService, toTransport(channel, { ...options, interceptors: [look] })).echo({});
  }
  const path = `${EchoService.typeName}/Echo`;
  expect(urls).toEqual([`in-process://local/${path}`, `https://host/prefix/${path}`]);
});

test("a server stream takes exactly one request", async () => {
  const transport = toTransport(channel);
  for (const [count, text] of [
    [0, "missing"],
    [2, "extra"],
  ] as const) {
    async function* requests() {
      for (let i = 0; i < count; i++) yield {};
    }
    const call = transport.stream(EchoService.method.split, undefined, undefined, undefined, requests());
    await expect(call).rejects.toMatchObject({
      code: ConnectCode.Unimplemented,
      rawMessage: expect.stringContaining(text),
    });
  }
});

test("headers that are passed on stay those of the call that they came with", async () => {
  const metadata = new Metadata({ "x-user": "ann" });
  const change: Interceptor = (next) => (request) => {
    request.header.set("x-user", "bob");
    return next(request);
  };
  const client = createClient(EchoService, toTransport(channel, { interceptors: [change] }));
  const seen = await client.inspect({}, { headers: headersOf(metadata) });
  expect(seen.metadata).toMatchObject([{ key: "x-user", value: "bob" }]);
  expect(metadata.get("x-user")).toBe("ann");
});
