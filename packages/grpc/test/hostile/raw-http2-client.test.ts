// Clients that speak HTTP/2 and break gRPC's rules, or HTTP/2's: each gets an answer or loses its connection, no handler is
// left behind, and the connection beside it never notices.
import { once } from "node:events";
import { createConnection } from "node:net";
import { Code } from "@guestwire/rpc";
import { EchoRequestSchema, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serializerOf } from "../../src/serialize.js";
import {
  type EchoServer,
  echoFrame,
  echoServer,
  fired,
  framed,
  type RawClient,
  rawClient,
  rawEnd,
  until,
} from "../../src/server.test.support.js";

let peer: EchoServer;
let raw: RawClient;
let begun: number;
let allClosed: () => Promise<void>;

beforeEach(async () => {
  allClosed = watchHandles();
  begun = 0;
  peer = await echoServer({
    async hang(_, context) {
      begun++;
      await fired(context.signal);
      return {};
    },
    async *chat(requests) {
      begun++;
      for await (const { text } of requests) yield { text };
    },
  });
  // The neighbour's connection is open before anything happens.
  await peer.client.echo({});
  raw = await rawClient(peer.address);
});

afterEach(async () => {
  expect(await peer.client.echo({ text: "untouched" })).toMatchObject({ text: "untouched" });
  await raw[Symbol.asyncDispose]();
  await until(() => peer.server.connections === 1 && peer.server.runningCalls === 0);
  await peer[Symbol.asyncDispose]();
  await allClosed();
});

describe("a request that is none", () => {
  test.each([
    ["another content type", { "content-type": "application/json" }],
    ["no content type", { "content-type": "" }],
  ])("with %s gets HTTP's 415", async (_, headers) => {
    const call = raw.call("Echo", headers);
    call.end(echoFrame("x"));
    expect(await rawEnd(call)).toMatchObject({ http: 415, status: undefined });
  });

  test.each([
    ["/guestwire.test.v1.EchoService/Nothing", "method Nothing"],
    ["/guestwire.test.v1.Nothing/Echo", "service guestwire.test.v1.Nothing"],
    ["/guestwire.test.v1.EchoService/echo", "method echo"],
    ["/", 'malformed method name: "/"'],
    ["/a/b/c", 'malformed method name: "/a/b/c"'],
    ["/unknown", 'malformed method name: "/unknown"'],
    ["/%00\u00e4/x", "service %00\u00e4"],
  ])("for %s is unimplemented, by name", async (path, message) => {
    const call = raw.call(path);
    call.end(echoFrame("x"));
    const { http, status } = await rawEnd(call);
    expect({ http, status }).toEqual({ http: 200, status: Code.Unimplemented });
    const again = raw.call(path);
    again.end();
    if (!path.includes("\u00e4")) expect((await rawEnd(again)).message).toBe(message);
  });

  test("with another HTTP method than POST gets a 415 too", async () => {
    for (const method of ["GET", "OPTIONS", "PUT"]) {
      const call = raw.call("Echo", { ":method": method });
      call.end();
      expect(await rawEnd(call)).toMatchObject({ http: 415, status: undefined });
    }
  });
});

describe("messages", () => {
  test.each([
    ["none", Buffer.alloc(0), Code.Unimplemented],
    ["two", Buffer.concat([echoFrame("a"), echoFrame("b")]), Code.Unimplemented],
    ["one cut off in its head", Buffer.from([0, 0, 0]), Code.Internal],
    ["one cut off in its body", framed(new Uint8Array(3), 0, 100), Code.Internal],
    ["one and the beginning of another", Buffer.concat([echoFrame("a"), Buffer.from([0, 0])]), Code.Internal],
    ["one that claims 4 GiB", framed(new Uint8Array(3), 0, 0xffffffff), Code.ResourceExhausted],
    ["one that is no message", framed(Buffer.from([0xff, 0xff, 0xff])), Code.Internal],
    ["one compressed, without saying how", framed(Buffer.from("abc"), 1), Code.Internal],
  ])("for a unary method: %s", async (_, bytes, status) => {
    const call = raw.call("Echo");
    call.end(bytes);
    const ended = await rawEnd(call);
    expect(ended.status).toBe(status);
  });

  test("that are broken in the middle of a stream end it, and the handler with it", async () => {
    for (const bytes of [framed(Buffer.from([0xff, 0xff])), framed(new Uint8Array(1), 0, 0x7fffffff)]) {
      const before = begun;
      const call = raw.call("Chat");
      call.write(echoFrame("a"));
      const [first] = (await once(call, "data")) as [Buffer];
      expect(first.includes("a")).toBe(true);
      call.write(bytes);
      const { status } = await rawEnd(call);
      expect([Code.Internal, Code.ResourceExhausted]).toContain(status);
      expect(begun).toBe(before + 1);
      await until(() => peer.server.runningCalls === 0);
    }
  });

  test("compressed in a way that nobody knows, or that unpack to more than the limit, are refused", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(serializerOf(EchoRequestSchema)({ payload: new Uint8Array(64 << 20) }));
    for (const [encoding, bytes, status] of [
      ["snappy", Buffer.from("x"), Code.Unimplemented],
      ["gzip", Buffer.from("this is no gzip"), Code.Internal],
      ["gzip", bomb, Code.ResourceExhausted],
    ] as const) {
      const call = raw.call("Echo", { "grpc-encoding": encoding });
      call.end(framed(bytes, 1));
      expect(await rawEnd(call)).toMatchObject({ status });
    }
  });
});

describe("headers", () => {
  test("over the limit end the stream, not the server", async () => {
    const call = raw.call("Echo", { "x-large": "x".repeat(80_000) });
    call.end(echoFrame("x"));
    expect((await rawEnd(call)).status).toBeUndefined();
  });

  test("in a flood of small ones end the stream, not the server", async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, "1"]));
    const call = raw.call("Echo", many);
    call.end(echoFrame("x"));
    expect((await rawEnd(call)).status).toBeUndefined();
  });

  test("that are odd are taken as they are", async () => {
    const call = raw.call("Echo", { "x-bytes-bin": "!!! no base64", "x-empty": "", "grpc-foo": "1" });
    call.end(echoFrame("x"));
    expect(await rawEnd(call)).toMatchObject({ status: 0 });
  });
});

describe("resets", () => {
  test("in the middle of a call end its handler", async () => {
    const call = raw.call("Hang");
    call.end(framed(new Uint8Array()));
    await until(() => peer.server.runningCalls === 1);
    call.close(8);
    await until(() => peer.server.runningCalls === 0);
  });

  test("in a row, as fast as they can be sent, leave no handler running", async () => {
    for (let i = 0; i < 3000 && !raw.session.destroyed; i++) {
      const call = raw.call("Hang");
      call.end(framed(new Uint8Array()));
      call.close(8);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => peer.server.runningCalls === 0);
  });

  test("of the whole connection, with calls under way, end them all", async () => {
    for (let i = 0; i < 20; i++) raw.call("Hang").end(framed(new Uint8Array()));
    await until(() => peer.server.runningCalls === 20);
    raw.session.destroy();
    await until(() => peer.server.runningCalls === 0);
  });
});

test("more streams than a connection may have wait or are refused; none is served beyond", async () => {
  const limited = await echoServer(
    { hang: async (_, { signal }) => fired(signal).then(() => ({})) },
    {
      limits: { connectionCalls: 5 },
    },
  );
  const client = await rawClient(limited.address);
  const calls = Array.from({ length: 20 }, () => {
    const call = client.call("Hang");
    call.end(framed(new Uint8Array()));
    return call;
  });
  await until(() => limited.server.runningCalls === 5);
  await limited.client.echo({});
  expect(limited.server.runningCalls).toBe(5);
  for (const call of calls) call.close(8);
  await client[Symbol.asyncDispose]();
  await until(() => limited.server.runningCalls === 0);
  await limited[Symbol.asyncDispose]();
});

test("pings that come too fast cost the connection where that was asked for", async () => {
  const strict = await echoServer({}, { keepalive: { minPingIntervalMs: 60_000 } });
  const client = await rawClient(strict.address);
  const gone = new Promise((resolve) => client.session.once("goaway", (...all) => resolve(all)));
  for (let i = 0; i < 4; i++) client.session.ping(() => {});
  const [code, , reason] = (await gone) as [number, number, Buffer];
  expect(code).toBe(11);
  expect(reason.toString()).toBe("too_many_pings");
  await client[Symbol.asyncDispose]();
  expect(await strict.client.echo({ text: "calm" })).toMatchObject({ text: "calm" });
  await strict[Symbol.asyncDispose]();
});

test("bytes that are no HTTP/2 end their connection", async () => {
  const path = peer.address.slice("unix://".length);
  for (const bytes of [
    "GET / HTTP/1.1\r\n\r\n",
    "\0".repeat(100),
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\xff".repeat(50)}`,
  ]) {
    const socket = createConnection(path);
    socket.on("error", () => {});
    socket.write(Buffer.from(bytes, "latin1"));
    socket.resume();
    await once(socket, "close");
  }
});
