// Servers that break every rule, against our client. It must not crash, not hang past a deadline, and not grow.
import { once } from "node:events";
import { createServer } from "node:net";
import { Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import {
  EchoService,
  echoHandlers,
  encodeFrames,
  propertySeed,
  rawFrame,
  rawListen,
  tempFolder,
  turns,
  unhex,
  watchHandles,
} from "@guestwire/testkit";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/channel.js";
import { serve } from "../../src/server.js";
import { type Calling, failure, startCalling } from "../support/calling.js";
import { dataFrame, echo, emptyData, responseFrame } from "../support/wire.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

let calling: Calling | undefined;

afterEach(async () => {
  await calling?.end();
  calling = undefined;
});

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

describe("lengths that lie", () => {
  test.each(["01000000", "7fffffff", "80000000", "ffffffff"])(
    "%s fails the calls of the connection, and the next call makes a new one",
    async (length) => {
      const { client, clock, peers, ...call } = start();
      const calls = [failure(client.echo({})), failure(client.split({}).next())];
      const peer = await call.peer();
      await peer.take(2);
      peer.send(`${length} 00000001 02 00`);
      for (const error of await Promise.all(calls))
        expect(error).toMatchObject({ code: Code.Internal, reason: "protocol" });
      await peer.closed;
      const next = client.echo({});
      await clock.elapse(1000);
      (await call.peer()).send(rawFrame(1, 2, 0));
      await next;
      expect(peers).toHaveLength(2);
    },
  );

  test("a frame that never ends has its time", async () => {
    const { client, clock, ...call } = start({ limits: { frameMs: 1000 } });
    const first = failure(client.echo({}));
    const peer = await call.peer();
    peer.send("00000010 00000001 02");
    await clock.elapse(1008);
    expect(await first).toMatchObject({
      code: Code.Internal,
      reason: "protocol",
      rawMessage: "a frame did not end within 1000 ms",
    });
    await peer.closed;
  });

  test("a response over the limit is passed over without being held, and fails its call alone", async () => {
    const { client, ...call } = start();
    const [first, second] = [failure(client.echo({})), client.echo({})];
    const peer = await call.peer();
    await peer.take(2);
    const before = process.memoryUsage().arrayBuffers;
    peer.send(encodeFrames([rawFrame(1, 2, 0)], 0xff_ffff));
    expect(await first).toMatchObject({ code: Code.ResourceExhausted, reason: "oversize" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    for (let sent = 0; sent < 0xff_ffff; sent += 1 << 16) peer.send(Buffer.alloc(Math.min(1 << 16, 0xff_ffff - sent)));
    peer.send(rawFrame(3, 2, 0));
    await second;
  });
});

describe("servers that do not answer", () => {
  test("do not hold calls past their deadline, in whatever state they are", async () => {
    const { client, clock, ...call } = start({
      timeoutMs: 100,
      limits: { connectionCalls: 2, streamSendBytes: 1000, sendBytes: 5000 },
    });
    const forever = (async function* () {
      for (;;) yield { payload: Buffer.alloc(500) };
    })();
    const waiting = createPushStream<{ text: string }>();
    const calls = [
      client.echo({}),
      client.join(forever),
      client.split({}).next(),
      client.chat(waiting).next(),
      client.echo({}),
    ].map(failure);
    (await call.peer()).pause();
    await clock.elapse(108);
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
  });

  test("and do not read, are given up at sendLimitBytes", async () => {
    const { client, ...call } = start({ limits: { sendBytes: 1 << 20, sendLimitBytes: 100_000 } });
    const first = failure(client.echo({}));
    const peer = await call.peer();
    peer.pause();
    const calls = Array.from({ length: 4 }, () => failure(client.echo({ payload: Buffer.alloc(30_000) })));
    expect(await first).toMatchObject({
      code: Code.Unavailable,
      reason: "overflow",
      rawMessage: expect.stringMatching(/^the server does not read: \d+ bytes wait/),
    });
    const codes = (await Promise.all(calls)).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set([Code.Unavailable]));
  });

  test("make a stream of requests wait, and memory stays in bounds", async () => {
    const { client, ...call } = start();
    let given = 0;
    const source = (function* () {
      for (;;) {
        given++;
        yield { payload: Buffer.alloc(1000) };
      }
    })();
    const control = new AbortController();
    const reply = failure(client.join(source, control));
    const peer = await call.peer();
    peer.pause();
    await turns();
    const before = given;
    // 256 KiB in the queue, and what the streams of this process hold.
    expect(before * 1000 - peer.receivedBytes).toBeLessThan(600_000);
    await turns();
    expect(given).toBe(before);
    peer.resume();
    await turns();
    expect(given).toBeGreaterThan(before);
    control.abort();
    await reply;
  });
});

describe("servers that say too much", () => {
  test("100,000 frames on streams that are none change nothing", async () => {
    const { client, ...call } = start();
    const answer = client.echo({});
    const peer = await call.peer();
    await peer.next();
    peer.send(encodeFrames(Array.from({ length: 100_000 }, (_, i) => rawFrame(i + 2, (i % 5) + 1, i & 7, "0a00"))));
    peer.send(responseFrame(1, echo({ text: "there" })));
    expect((await answer).text).toBe("there");
  });

  test("frames for calls that were canceled are passed over", async () => {
    const { client, ...call } = start({ control: false });
    const control = new AbortController();
    const canceled = failure(client.split({}, control).next());
    const peer = await call.peer();
    control.abort();
    await canceled;
    peer.send(dataFrame(1, "a"), dataFrame(1, "b", 1), rawFrame(1, 2, 0, "ff"), emptyData(1, 5));
    const next = client.echo({});
    await peer.take(2);
    peer.send(rawFrame(3, 2, 0));
    await next;
  });

  test("a flood on a sole stream that nobody reads stays in bounds", async () => {
    const { client, clock, ...call } = start({ limits: { receiveBytes: 100_000, stallMs: 100 } });
    const responses = client.split({});
    const peer = await call.peer();
    await peer.next();
    let sent = 0;
    peer.stream.on("drain", () => {});
    for (let round = 0; round < 200; round++) {
      // As a well-behaved source: what does not fit waits.
      while (!peer.stream.writableNeedDrain && sent < 1_000_000) {
        peer.send(rawFrame(1, 3, 0, echo({ number: BigInt(sent++ + 1), payload: Buffer.alloc(400) })));
      }
      await clock.elapse(108);
    }
    // Each look at the socket brings a chunk; after receiveBytes there are no more looks.
    expect(sent).toBeLessThan(1000);
    let seen = 0n;
    for await (const { number } of responses) {
      seen++;
      expect(number).toBe(seen);
      if (seen === 100n) break;
    }
  });
});

describe("any bytes", () => {
  const part = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }),
    fc
      .record({
        id: fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 2, 0xffff_ffff),
        type: fc.constantFrom(1, 2, 2, 2, 3, 3, 3, 0, 255),
        flags: fc.constantFrom(0, 0, 1, 4, 5, 7, 255),
        data: fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constant(unhex("12020a00")), fc.constant(unhex("0a0161"))),
      })
      .map(({ id, type, flags, data }) => rawFrame(id, type, flags, data)),
  );

  test("settle every call by its deadline, with an RpcError or an answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 20 }), async (parts) => {
        const { client, clock, ...call } = start({ timeoutMs: 1000, limits: { messageBytes: 100 } });
        const read = async (responses: AsyncIterable<unknown>): Promise<void> => {
          for await (const _ of responses);
        };
        const calls = [
          client.echo({}),
          read(client.split({})),
          client.join([{ text: "a" }]),
          read(client.chat([{ text: "b" }])),
        ];
        const settled = Promise.allSettled(calls);
        const peer = await call.peer();
        peer.send(...parts);
        await clock.elapse(1100);
        for (const outcome of await settled)
          if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(RpcError);
        await calling?.end();
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a server that goes away", () => {
  test("in the middle of calls and streams, and comes back at the same place", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    const address = `unix:${folder.file("a.sock")}`;
    const first = serve().service(EchoService, echoHandlers);
    await first.listen(address);
    const channel = connect(address, { backoff: { initialMs: 1, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    const chat = client.chat(createPushStream<{ text: string }>());
    const calls = [failure(client.hang({})), failure(chat.next())];
    await client.echo({});
    await first.close({ graceMs: 1 });
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
    const second = serve().service(EchoService, echoHandlers);
    await second.listen(address);
    expect((await client.echo({ text: "again" })).text).toBe("again");
    await channel.close();
    await second.close();
    await allClosed();
  });

  test("by a reset is connection_closed, with the system's error as the cause", async () => {
    const allClosed = watchHandles();
    const server = createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    const channel = connect(`tcp://127.0.0.1:${port}`);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed", cause: { code: "ECONNRESET" } });
    await channel.close();
    server.close();
    await allClosed();
  });

  test("halfway through an answer", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    const server = await rawListen(folder.file("a.sock"));
    const answer = encodeFrames([responseFrame(1, echo({ text: "answer" }))]);
    for (let at = 0; at < answer.length; at++) {
      const channel = connect(`unix:${folder.file("a.sock")}`);
      const call = failure(createClient(EchoService, channel).echo({}));
      const peer = await server.accept();
      await peer.next();
      peer.send(answer.subarray(0, at));
      peer.end();
      expect(await call).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
      await channel.close();
    }
    await server[Symbol.asyncDispose]();
    await allClosed();
  });
});
