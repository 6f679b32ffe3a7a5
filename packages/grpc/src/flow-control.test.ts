// Flow control from end to end: who reads slowly slows the other end down, so that memory is bounded on both, and nobody
// else on the same connection is held up.
import { type Channel, type Client, createClient, type Handlers } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import type { ConnectOptions } from "./channel-options.js";
import { defaultLimits } from "./limits.js";
import { serve } from "./server.js";

interface Opened extends AsyncDisposable {
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
}

async function open(handlers: Partial<Handlers<typeof EchoService>>, options: ConnectOptions = {}): Promise<Opened> {
  const folder = await tempFolder();
  const server = serve().service(EchoService, { ...echoHandlers, ...handlers });
  const channel = connect(await server.listen(`unix://${folder.file("f.sock")}`), options);
  return {
    channel,
    client: createClient(EchoService, channel),
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a count no longer grows, while other calls go back and forth on the same connection. */
async function settled(client: Client<typeof EchoService>, count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count();
    for (let i = 0; i < 30; i++) await client.echo({});
  }
}

// Much more than may wait anywhere.
const total = 64 << 20;

describe.each([1024, 32 * 1024, 1024 * 1024])("messages of %i bytes", (size) => {
  const payload = new Uint8Array(size);
  const messages = total / size;
  // Windows, queues and socket buffers of both ends; of larger messages, one or two in each place.
  const most = (2 << 20) + 8 * size;

  test("a handler waits for a client that does not read", async () => {
    let made = 0;
    await using peer = await open({
      *split() {
        while (made++ < messages) yield { payload };
      },
    });
    const responses = peer.client.split({});
    await settled(peer.client, () => made);
    expect(made * size).toBeLessThan(most);
    expect(made).toBeGreaterThan(0);
    let received = 0;
    for await (const _ of responses) received++;
    expect(received).toBe(messages);
  });

  test("a client waits for a handler that does not read", async () => {
    const go = Promise.withResolvers<void>();
    let made = 0;
    await using peer = await open({
      async join(requests) {
        await go.promise;
        let number = 0n;
        for await (const _ of requests) number++;
        return { number };
      },
    });
    function* requests() {
      while (made++ < messages) yield { payload };
    }
    const joined = peer.client.join(requests());
    await settled(peer.client, () => made);
    expect(made * size).toBeLessThan(most);
    expect(made).toBeGreaterThan(0);
    go.resolve();
    expect((await joined).number).toBe(BigInt(messages));
  });
});

test("many streams that nobody reads hold up neither each other nor other calls", async () => {
  let made = 0;
  const payload = new Uint8Array(16 * 1024);
  await using peer = await open({
    *split() {
      for (;;) {
        made++;
        yield { payload };
      }
    },
  });
  const unread = Array.from({ length: 50 }, () => peer.client.split({}));
  await settled(peer.client, () => made);
  const { streamWindowBytes, streamMessages } = defaultLimits;
  // Beside what waits at each end: what is between the handler and HTTP/2, and between HTTP/2 and the queue.
  const most = streamWindowBytes + streamMessages * payload.length + (128 << 10);
  expect(made * payload.length).toBeLessThan(50 * most);
  expect((await peer.client.echo({ text: "still" })).text).toBe("still");
  for (const responses of unread) await responses.return();
});

test("a stream that is left while it is full frees what waits", async () => {
  const ended = Promise.withResolvers<void>();
  await using peer = await open({
    async *split(_, context) {
      context.signal.addEventListener("abort", () => ended.resolve());
      for (;;) yield { payload: new Uint8Array(1024) };
    },
  });
  const responses = peer.client.split({});
  await responses.next();
  await responses.return();
  await ended.promise;
});
