// A slow end slows the other end down, through HTTP/2's windows: neither side ever holds more than a few messages, and the
// other calls of the connection go on.
import { EchoRequestSchema, SplitRequestSchema, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serializerOf } from "../src/serialize.js";
import { echoServer, framed, rawClient, rawEnd, until } from "../src/server.test.support.js";

const messageBytes = 32 * 1024;
const payload = new Uint8Array(messageBytes);
// HTTP/2's first window, what waits to be sent (each 64 KiB), and the message that is on its way into either.
const mostMessages = (2 * 64 * 1024) / messageBytes + 2;

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

test.each(["an async generator", "a synchronous iterable"])(
  "%s makes no more than fits when its client does not read, and all of it in the end",
  async (kind) => {
    let made = 0;
    function* numbers(count: number) {
      for (let i = 0; i < count; i++) {
        made++;
        yield { payload, number: BigInt(i) };
      }
    }
    await using peer = await echoServer({
      split: ({ count }) =>
        kind === "a synchronous iterable"
          ? numbers(count)
          : (async function* () {
              yield* numbers(count);
            })(),
    });
    await using raw = await rawClient(peer.address);
    const call = raw.call("Split");
    call.pause();
    call.end(framed(serializerOf(SplitRequestSchema)({ count: 200 })));
    await until(() => made > 1);
    // Every round gives the server time to make more, if it did.
    for (let i = 0; i < 30; i++) await peer.client.echo({ text: `${i}` });
    const other = raw.call("Echo");
    other.end(framed(serializerOf(EchoRequestSchema)({ text: "beside it" })));
    expect(await rawEnd(other)).toMatchObject({ status: 0 });
    expect(made).toBeLessThanOrEqual(mostMessages);
    call.resume();
    const { status, bytes } = await rawEnd(call);
    expect(status).toBe(0);
    expect(bytes).toBeGreaterThan(200 * messageBytes);
    expect(made).toBe(200);
  },
);

test("a client sends no more than fits when the handler does not read, and all of it in the end", async () => {
  const go = Promise.withResolvers<void>();
  await using peer = await echoServer({
    async join(requests) {
      await go.promise;
      let number = 0n;
      for await (const _ of requests) number++;
      return { number };
    },
  });
  let sent = 0;
  async function* requests() {
    for (; sent < 200; sent++) yield { payload };
  }
  const joined = peer.client.join(requests());
  await until(() => peer.server.runningCalls === 1);
  for (let i = 0; i < 30; i++) await peer.client.echo({ text: `${i}` });
  // Beside that, grpc-js' client keeps 1 MiB of a call for the case that it has to send it again.
  expect(sent).toBeLessThanOrEqual(mostMessages + (1 << 20) / messageBytes);
  go.resolve();
  expect((await joined).number).toBe(200n);
});

test("a reader who stops for good lets the call end with its connection", async () => {
  const cleaned = Promise.withResolvers<void>();
  await using peer = await echoServer({
    async *split() {
      try {
        for (;;) yield { payload };
      } finally {
        cleaned.resolve();
      }
    },
  });
  const raw = await rawClient(peer.address);
  const call = raw.call("Split");
  call.pause();
  call.end(framed(new Uint8Array()));
  await until(() => peer.server.runningCalls === 1);
  await raw[Symbol.asyncDispose]();
  await cleaned.promise;
  await until(() => peer.server.runningCalls === 0);
});
