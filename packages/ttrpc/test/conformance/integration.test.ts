// The behaviours of Go's integration suite, and the interop cases that fit, with our client and our server on each
// kind of connection.
import { once } from "node:events";
import { createServer } from "node:net";
import { type Channel, type Client, Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import {
  EchoRequestSchema,
  EchoService,
  echoHandlers,
  streamPair,
  tempFolder,
  turns,
  watchHandles,
} from "@guestwire/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/channel.js";
import type { ConnectOptions } from "../../src/connect-options.js";
import { connectInProcess } from "../../src/in-process.js";
import { type Server, serve } from "../../src/server.js";
import { failure } from "../support/calling.js";

const folder = await tempFolder();

/** How client and server find each other. */
const transports: Record<string, (server: Server, options: ConnectOptions) => Promise<Channel>> = {
  "a unix socket": async (server, options) => connect(await server.listen(`unix:${folder.file("i.sock")}`), options),
  "an abstract socket": async (server, options) => connect(await server.listen(`unix:@gw-i-${process.pid}`), options),
  tcp: async (server, options) => connect(await server.listen("tcp://127.0.0.1:0"), options),
  "a Duplex": async (server, options) => {
    const [ours, theirs] = streamPair();
    server.attach(theirs);
    return connect(ours, options);
  },
  "the process": async (server, options) => connectInProcess(server, options),
};

afterAll(() => folder[Symbol.asyncDispose]());

describe.each(Object.keys(transports))("over %s", (name) => {
  let server: Server;
  let channel: Channel;
  let client: Client<typeof EchoService>;
  let allClosed: () => Promise<void>;

  beforeAll(async () => {
    allClosed = watchHandles();
    server = serve().service(EchoService, echoHandlers);
    channel = await (transports[name] as (typeof transports)[string])(server, {});
    client = createClient(EchoService, channel);
  });

  afterAll(async () => {
    await channel.close();
    await server.close();
    expect(server.connections).toBe(0);
    // A handler that was just told the end returns a few steps later.
    while (server.runningCalls > 0) await turns(1);
    await allClosed();
  });

  test("echo: concurrent calls with metadata get their own answers", async () => {
    const calls = Array.from({ length: 1000 }, async (_, i) => {
      const [{ text }, seen] = await Promise.all([
        client.echo({ text: `t${i}`, number: BigInt(i) }),
        client.inspect({}, { metadata: { "X-Number": String(i), y: ["1", "2"] } }),
      ]);
      expect(text).toBe(`t${i}`);
      expect(seen.metadata.map(({ key, value }) => [key, value])).toEqual([
        ["x-number", String(i)],
        ["y", "1"],
        ["y", "2"],
      ]);
    });
    await Promise.all(calls);
  });

  test("an empty request and an empty answer", async () => {
    expect(await client.echo({})).toMatchObject({ text: "", number: 0n });
  });

  test("bidi: 100 exchanges, one after the other", async () => {
    const requests = createPushStream<{ text: string }>();
    const responses = client.chat(requests);
    for (let i = 0; i < 100; i++) {
      void requests.push({ text: String(i) });
      expect((await responses.next()).value?.text).toBe(String(i));
    }
    requests.end();
    expect(await responses.next()).toEqual({ done: true, value: undefined });
  });

  test("client stream: 202 parts, the first and the last empty, add up", async () => {
    const parts = [{}, ...Array.from({ length: 200 }, (_, i) => ({ number: BigInt(i), text: "x" })), {}];
    const sum = await client.join(parts);
    expect([sum.number, sum.text.length]).toEqual([19_900n, 200]);
  });

  test("client stream of nothing, to an empty result", async () => {
    expect(await client.join([])).toMatchObject({ text: "", number: 0n });
  });

  test("server stream: 30 parts, of any size, in order", async () => {
    for (const size of [0, 1, 5000, 100_000]) {
      const parts = await Array.fromAsync(client.split({ count: 30, payload: Buffer.alloc(size, 7) }));
      expect(parts.map(({ number }) => Number(number))).toEqual(parts.map((_, i) => i));
      expect(parts).toHaveLength(30);
      expect(parts.every(({ payload }) => payload.length === size && payload.every((byte) => byte === 7))).toBe(true);
    }
  });

  test("server stream of nothing", async () => {
    expect(await Array.fromAsync(client.split({}))).toEqual([]);
  });

  test("bidi: 1,000 empty messages by concurrent senders", async () => {
    const requests = createPushStream<object>({ highWaterMark: 2000 });
    const responses = client.chat(requests);
    const senders = Array.from({ length: 10 }, async () => {
      for (let i = 0; i < 100; i++) await requests.push({});
    });
    await Promise.all(senders);
    requests.end();
    expect(await Array.fromAsync(responses)).toHaveLength(1000);
  });

  test("large messages, both ways, up to the limit", async () => {
    const payload = Buffer.alloc((4 << 20) - 100, 3);
    const answer = await client.echo({ payload });
    expect(Buffer.compare(answer.payload, payload)).toBe(0);
    expect(await failure(client.echo({ payload: Buffer.alloc(4 << 20) }))).toMatchObject({
      code: Code.ResourceExhausted,
      reason: "oversize",
    });
    expect((await client.echo({ text: "after" })).text).toBe("after");
  });

  test("an error keeps its code, its text and its details", async () => {
    const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    const error = await failure(client.fail({ code: Code.Aborted, message, detail: "d" }));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      code: Code.Aborted,
      rawMessage: message,
      reason: undefined,
      method: "/guestwire.test.v1.EchoService/Fail",
    });
    expect(error.findDetails(EchoRequestSchema)).toMatchObject([{ text: "d" }]);
    expect(await failure(client.fail({ message: "plain" }))).toMatchObject({ code: Code.Unknown, rawMessage: "plain" });
  });

  test("an error in the middle of a stream comes behind what was sent", async () => {
    const seen: bigint[] = [];
    const error = await failure(
      (async () => {
        for await (const { number } of client.split({ count: 10, failAfter: 3 })) seen.push(number);
      })(),
    );
    expect([seen, error.code, error.rawMessage]).toEqual([[0n, 1n, 2n], Code.DataLoss, "failed after 3"]);
  });

  test("a deadline reaches the handler, on a unary call and on streams", async () => {
    const left = (await client.inspect({}, { timeoutMs: 600_000 })).timeRemainingMs;
    expect(left).toBeLessThanOrEqual(600_000);
    expect(left).toBeGreaterThan(500_000);
    expect((await client.inspect({})).timeRemainingMs).toBe(-1);
    const error = await failure(client.hang({}, { timeoutMs: 20 }));
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
  });

  test("cancel after begin, and after the first response", async () => {
    const control = new AbortController();
    const waiting = failure(client.join(createPushStream<object>(), control));
    control.abort();
    expect(await waiting).toMatchObject({ code: Code.Canceled });
    const chat = client.chat(createPushStream<object>(), new AbortController());
    const requests = createPushStream<{ text: string }>();
    const other = new AbortController();
    const responses = client.chat(requests, other);
    void requests.push({ text: "a" });
    expect((await responses.next()).value?.text).toBe("a");
    other.abort();
    expect(await failure(responses.next())).toMatchObject({ code: Code.Canceled, reason: "canceled" });
    await chat.return?.();
  });

  test("what is not there is Unimplemented", async () => {
    const unknown = { ...EchoService.method.echo, name: "Nope" };
    expect(await failure(channel.unary(unknown, {}))).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "method Nope",
    });
    const parent = { ...EchoService, typeName: "no.Such" };
    const elsewhere = { ...EchoService.method.echo, parent } as typeof EchoService.method.echo;
    expect(await failure(channel.unary(elsewhere, {}))).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "service no.Such",
    });
  });

  test("a stream that nobody reads leaves the others as they are", async () => {
    const unread = client.split({ count: 10_000, payload: Buffer.alloc(100) });
    expect((await client.echo({ text: "beside" })).text).toBe("beside");
    expect(await Array.fromAsync(client.split({ count: 5 }))).toHaveLength(5);
    await unread.return?.();
  });
});

test("a server behind something that cuts and glues the bytes at will", async () => {
  const allClosed = watchHandles();
  const server = serve().service(EchoService, echoHandlers);
  const relay = createServer((socket) => {
    const [ours, theirs] = streamPair();
    server.attach(theirs);
    // One byte at a time to the server, all together back.
    socket.on("data", (chunk: Buffer) => {
      for (const byte of chunk) ours.write(Buffer.from([byte]));
    });
    ours.pipe(socket);
    socket.on("close", () => ours.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const channel = connect(`tcp://127.0.0.1:${(relay.address() as { port: number }).port}`);
  const client = createClient(EchoService, channel);
  const texts = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => (await client.echo({ text: `t${i}` })).text),
  );
  expect(texts).toEqual(texts.map((_, i) => `t${i}`));
  await channel.close();
  await server.close();
  relay.close();
  await allClosed();
});
