// Slow readers on both ends, with our client and our server: nobody else is stalled, and memory has its bounds.
import { Code, createClient, createPushStream } from "@guestwire/rpc";
import { EchoService, echoHandlers, FakeClock, rawListen, tempFolder, turns, watchHandles } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { connectInProcess } from "../src/in-process.js";
import type { Limits } from "../src/limits.js";
import { serve, TtrpcServer } from "../src/server.js";
import { failure, startCalling } from "./support/calling.js";
import { startServing } from "./support/serving.js";
import { dataFrame, echo, emptyData, requestFrame, say } from "./support/wire.js";

const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of cleanUp.splice(0)) await end();
});

/** Our client and our server, with frames between them and a clock that stands still. */
function both(handlers: object, limits: Partial<Limits> = {}) {
  const clock = new FakeClock();
  const server = new TtrpcServer({ limits }, clock).service(EchoService, { ...echoHandlers, ...handlers });
  const channel = connectInProcess(server, { limits });
  cleanUp.push(async () => {
    await channel.close();
    const closed = server.close({ graceMs: 100 });
    await clock.elapse(10_000);
    await closed;
    expect([server.connections, clock.pending]).toEqual([0, 0]);
  });
  return { clock, server, client: createClient(EchoService, channel) };
}

describe("a client that reads a stream slowly", () => {
  const flood = () => {
    const state = { given: 0 };
    return {
      state,
      *split() {
        for (;;) {
          state.given++;
          yield { payload: Buffer.alloc(1000), number: BigInt(state.given) };
        }
      },
    };
  };

  test("and never reads what has ended does not use up the bound of streams to come", async () => {
    const { client } = both({}, { receiveBytes: 20_000 });
    for (let i = 0; i < 20; i++) {
      client.split({ count: 40 });
      // On the same connection, behind the stream.
      await client.echo({});
    }
    const seen: bigint[] = [];
    const responses = client.split({ count: 20 });
    await client.echo({});
    for await (const { number } of responses) seen.push(number);
    expect(seen.length).toBe(20);
  });

  test("pauses the server when it is alone; neither end holds more than its bounds", async () => {
    const { state, split } = flood();
    const { client } = both({ split });
    const responses = client.split({});
    await turns(50);
    const before = state.given;
    // 64 messages and the rest of a chunk at the client, 256 KiB at the server.
    expect(before).toBeLessThan(1000);
    await turns(50);
    expect(state.given).toBe(before);
    let seen = 0n;
    for await (const { number } of responses) {
      expect(number).toBe(++seen);
      if (seen === 5000n) break;
    }
    expect(state.given).toBeGreaterThan(5000);
  });

  test("does not stall a call that comes later", async () => {
    const { split } = flood();
    const { client } = both({ split });
    const responses = client.split({});
    await turns(50);
    expect((await client.echo({ text: "now" })).text).toBe("now");
    await responses.return?.();
  });

  test("does not stall another stream; it fails alone, after stallMs, and the server is told", async () => {
    const { state, split } = flood();
    const { client, clock, server } = both({ split }, { stallMs: 500 });
    const requests = createPushStream<{ text: string }>();
    const chat = client.chat(requests);
    const slow = client.split({});
    void requests.push({ text: "a" });
    expect((await chat.next()).value?.text).toBe("a");
    await clock.elapse(499);
    void requests.push({ text: "b" });
    expect((await chat.next()).value?.text).toBe("b");
    expect(server.runningCalls).toBe(2);
    await clock.elapse(9);
    const seen: bigint[] = [];
    const error = await failure(
      (async () => {
        for await (const { number } of slow) seen.push(number);
      })(),
    );
    expect(error).toMatchObject({
      code: Code.ResourceExhausted,
      reason: "overflow",
      rawMessage: "responses came faster than they were read",
    });
    // What had come before is not lost.
    expect(seen.length).toBeGreaterThanOrEqual(64);
    expect(seen).toEqual(seen.map((_, i) => BigInt(i + 1)));
    await turns();
    expect(server.runningCalls).toBe(1);
    const after = state.given;
    await turns();
    expect(state.given).toBe(after);
    void requests.push({ text: "c" });
    expect((await chat.next()).value?.text).toBe("c");
    requests.end();
    expect((await chat.next()).done).toBe(true);
  });

  test.each([
    ["bound - 1", 63],
    ["bound", 64],
  ])("streamMessages decides when it counts as slow: %s", async (_, count) => {
    const calling = startCalling({ limits: { stallMs: 100 } });
    cleanUp.push(() => calling.end());
    const { client, clock } = calling;
    const slow = client.split({});
    const other = client.echo({});
    const peer = await calling.peer();
    peer.send(...Array.from({ length: count }, () => dataFrame(1, "x")));
    await clock.elapse(108);
    peer.send(emptyData(1, 5), emptyData(3, 0));
    await failure(other);
    const read = Array.fromAsync(slow).then(
      (all) => all.length,
      (error) => error.code,
    );
    expect(await read).toBe(count < 64 ? 63 : Code.ResourceExhausted);
  });

  test("receiveBytes fails the fullest stream and no other", async () => {
    const calling = startCalling({ limits: { receiveBytes: 50_000 } });
    cleanUp.push(() => calling.end());
    const [small, large] = [calling.client.split({}), calling.client.split({})];
    const peer = await calling.peer();
    for (let i = 0; i < 6; i++) peer.send(dataFrame(1, "x".repeat(1000)), dataFrame(3, "y".repeat(8000)));
    await turns();
    peer.send(emptyData(1, 5));
    expect(await Array.fromAsync(small, ({ text }) => text.length)).toEqual(Array(6).fill(1000));
    const seen: number[] = [];
    const error = await failure(
      (async () => {
        for await (const { text } of large) seen.push(text.length);
      })(),
    );
    expect([error.code, error.reason, new Set(seen)]).toEqual([Code.ResourceExhausted, "overflow", new Set([8000])]);
  });
});

describe("a handler that reads its requests slowly", () => {
  const slowChat = () => {
    const go = createPushStream<object>();
    return {
      go,
      async *chat(requests: AsyncIterable<{ text: string }>) {
        const iterator = requests[Symbol.asyncIterator]();
        for await (const _ of go) {
          const { value, done } = await iterator.next();
          if (done) return;
          yield { text: value.text };
        }
      },
    };
  };

  test("pauses the client when its stream is alone; neither end holds more than its bounds", async () => {
    const { go, chat } = slowChat();
    const { client } = both({ chat });
    let given = 0;
    const source = (function* () {
      for (;;) yield { text: String(given++), payload: Buffer.alloc(1000) };
    })();
    const responses = client.chat(source);
    await turns(50);
    const before = given;
    expect(before).toBeLessThan(1000);
    await turns(50);
    expect(given).toBe(before);
    for (let i = 0; i < 1500; i++) {
      void go.push({});
      expect((await responses.next()).value?.text).toBe(String(i));
    }
    expect(given).toBeGreaterThan(before);
    await responses.return?.();
    go.end();
  });

  test("does not stall another call for longer than it takes to read what lies before it", async () => {
    const { go, chat } = slowChat();
    const { client, clock } = both({ chat }, { stallMs: 100 });
    const source = (function* () {
      for (;;) yield { payload: Buffer.alloc(1000) };
    })();
    const stuck = failure(client.chat(source).next());
    await turns(50);
    const unary = client.echo({ text: "behind" });
    await clock.elapse(5000);
    expect((await unary).text).toBe("behind");
    // While that call ran the stream was not alone; now it is, and may take its time again, unless it failed meanwhile.
    await Promise.race([stuck, turns()]);
    go.end();
    await turns();
  });

  test("fails alone with ResourceExhausted, after stallMs, while other calls share its connection", async () => {
    const { go, chat } = slowChat();
    const serving = startServing({ ...echoHandlers, chat } as never, { limits: { stallMs: 500 } });
    cleanUp.push(serving.end);
    const { peer, clock, server } = serving;
    peer.send(requestFrame(1, "Hang"), requestFrame(3, "Chat", { flags: 6 }));
    for (let i = 0; i < 70; i++) peer.send(dataFrame(3, "x"));
    await clock.elapse(499);
    expect(await peer.untilProbe()).toEqual([]);
    peer.send(requestFrame(5, "Echo", { payload: echo({ text: "beside" }) }));
    expect(say(await peer.next())).toBe("response 5: beside");
    await clock.elapse(9);
    expect(say(await peer.next())).toBe("error 8 on 3: requests came faster than they were read");
    peer.send(requestFrame(7, "Echo", { payload: echo({ text: "after" }) }));
    expect(say(await peer.next())).toBe("response 7: after");
    void go.push({});
    await turns();
    expect(server.runningCalls).toBe(1);
  });
});

describe("a slow socket", () => {
  test("makes a server's generator wait, and it goes on where it stopped", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    let given = 0;
    const server = serve().service(EchoService, {
      *split() {
        for (; given < 5000; given++) yield { number: BigInt(given), payload: Buffer.alloc(1000) };
      },
    });
    await server.listen(`unix:${folder.file("a.sock")}`);
    const channel = connect(`unix:${folder.file("a.sock")}`);
    const responses = createClient(EchoService, channel).split({});
    await responses.next();
    // Both queues, both buffers of the kernel; nowhere near the 5 MB of the whole stream.
    let before = -1;
    while (given !== before) {
      before = given;
      await turns(50);
    }
    expect(before).toBeLessThan(2500);
    let seen = 1;
    for await (const { number } of responses) expect(number).toBe(BigInt(seen++));
    expect(seen).toBe(5000);
    await channel.close();
    await server.close();
    await allClosed();
  });

  test("makes a client's generator wait, and its signal still works", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    const server = await rawListen(folder.file("a.sock"));
    const channel = connect(`unix:${folder.file("a.sock")}`);
    let given = 0;
    const source = (function* () {
      for (;;) {
        given++;
        yield { payload: Buffer.alloc(10_000) };
      }
    })();
    const control = new AbortController();
    const reply = failure(createClient(EchoService, channel).join(source, control));
    const peer = await server.accept();
    peer.pause();
    let before = -1;
    while (given === 0 || given !== before) {
      before = given;
      await turns(50);
    }
    expect(before).toBeLessThan(200);
    control.abort();
    expect(await reply).toMatchObject({ code: Code.Canceled });
    peer.destroy();
    await channel.close();
    await server[Symbol.asyncDispose]();
    await allClosed();
  });
});
