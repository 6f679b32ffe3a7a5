// What clients received stays as it was, although all their sockets read into the same memory.
import { once } from "node:events";
import { createConnection, createServer, type Server as NetServer, type Socket } from "node:net";
import { createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { ReceiveMemory } from "../src/receive-memory.js";
import { serve } from "../src/server.js";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const sizes = [0, 1, 63, 64, 65, 1000, 4096, 16_000, 16_384, 20_000, 32_768, 65_536, 131_072, 150_000, 1 << 20];
const payload = (size: number, seed: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 31 + seed;
  return bytes;
};

describe.each(["unix", "tcp"])("over %s", (kind) => {
  async function open(): Promise<string> {
    const folder = await tempFolder();
    closers.push(async () => folder[Symbol.asyncDispose]());
    const server = serve().service(EchoService, echoHandlers);
    closers.push(() => server.close());
    return server.listen(kind === "unix" ? `unix://${folder.file("s")}` : "tcp://127.0.0.1:0");
  }

  function dial(address: string) {
    // A name with several addresses makes Node try one after the other, each with a handle of its own.
    const channel = connect(address.replace("127.0.0.1", "localhost"));
    closers.push(() => channel.close());
    return createClient(EchoService, channel);
  }

  test("responses of all sizes on two connections are what was sent, once all have come", async () => {
    const address = await open();
    const clients = [dial(address), dial(address)];
    const calls = clients.flatMap((client, i) =>
      sizes.map(async (size, j) => {
        const sent = payload(size, i * 100 + j);
        const { payload: came } = await client.echo({ payload: sent });
        return { sent, came };
      }),
    );
    for (const { sent, came } of await Promise.all(calls)) expect(sent.equals(came)).toBe(true);
  });

  test("messages of streams stay as they were when later ones have come", async () => {
    const client = dial(await open());
    const received: Uint8Array[] = [];
    const sent = sizes.filter((size) => size > 0).map((size, i) => payload(size, i));
    for await (const message of client.chat(sent.map((bytes) => ({ payload: bytes })))) received.push(message.payload);
    expect(received.map((bytes, i) => sent[i]?.equals(bytes))).toEqual(sent.map(() => true));
  });
});

test("what comes before anybody listens is kept, and no more is read until then", async () => {
  const peers: Socket[] = [];
  const server: NetServer = createServer((socket) => {
    peers.push(socket);
    socket.write("first");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const memory = new ReceiveMemory();
  const socket = createConnection({ port: (server.address() as { port: number }).port, onread: memory.onread });
  closers.push(async () => {
    socket.destroy();
    for (const peer of peers) peer.destroy();
    await once(server.close(), "close");
  });
  await once(socket, "connect");
  // The socket stops to read by itself once it has kept the first words.
  while (socket.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
  peers[0]?.write(" second");
  const chunks: string[] = [];
  const all = Promise.withResolvers<void>();
  memory.start({
    received(chunk) {
      chunks.push(chunk.toString());
      if (chunks.join("") === "first second") all.resolve();
    },
    drained() {},
    closed() {},
  });
  socket.resume();
  await all.promise;
  expect(chunks[0]).toBe("first");
});
