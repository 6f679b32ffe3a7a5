// What clients received stays as it was, although all their sockets read into the same memory.
import { once } from "node:events";
import { createConnection, createServer, type Server as NetServer, type Socket } from "node:net";
import { Code, createClient, type Handlers, type Metadata, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { ownBytes } from "../src/frame.js";
import type { Limits } from "../src/limits.js";
import { ReceiveMemory, slabBytes } from "../src/receive-memory.js";
import { serve } from "../src/server.js";
import { failure } from "./support/calling.js";

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
  async function open(handlers: Partial<Handlers<typeof EchoService>> = {}): Promise<string> {
    const folder = await tempFolder();
    closers.push(async () => folder[Symbol.asyncDispose]());
    const server = serve().service(EchoService, { ...echoHandlers, ...handlers });
    closers.push(() => server.close());
    return server.listen(kind === "unix" ? `unix://${folder.file("s")}` : "tcp://127.0.0.1:0");
  }

  function dial(address: string, limits: Partial<Limits> = {}) {
    // A name with several addresses makes Node try one after the other, each with a handle of its own.
    const channel = connect(address.replace("127.0.0.1", "localhost"), { limits });
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

  test("errors, texts and metadata stay as they were when others have received 1 MiB", async () => {
    const address = await open({
      echo(request, { responseHeader, responseTrailer }) {
        responseHeader.set("x-header", request.text.slice(0, 4000));
        responseTrailer.set("x-trailer", request.text.slice(0, 4000));
        return { text: request.text, payload: request.payload };
      },
      fail({ code, message, detail }, { responseTrailer }) {
        responseTrailer.set("x-trailer", detail);
        const value = Buffer.from(detail);
        throw new RpcError(code as Code, message, { details: [{ typeUrl: "test/detail", value }] });
      },
    });
    const [client, other] = [dial(address), dial(address)];
    const due: unknown[] = [];
    const came: (() => unknown)[] = [];
    for (const [i, size] of [25, 63, 64, 300, 4000, 5000].entries()) {
      const text = String.fromCharCode(97 + i).repeat(size);
      const heard: Metadata[] = [];
      const options = { onHeader: (one: Metadata) => heard.push(one), onTrailer: (one: Metadata) => heard.push(one) };
      const response = await client.echo({ text, payload: payload(size, i) }, options);
      due.push([text, payload(size, i), [["x-header", text.slice(0, 4000)]], [["x-trailer", text.slice(0, 4000)]]]);
      came.push(() => [response.text, Buffer.from(response.payload), ...heard.slice(0, 2).map((one) => [...one])]);
      const error = await failure(client.fail({ code: Code.NotFound, message: text, detail: text }, options));
      due.push([Code.NotFound, text, [["test/detail", text]], [["x-trailer", text]], [["x-trailer", text]]]);
      came.push(() => [
        error.code,
        error.rawMessage,
        error.details.map(({ typeUrl, value }) => [typeUrl, Buffer.from(value).toString()]),
        [...(error.metadata ?? [])],
        [...(heard[2] ?? [])],
      ]);
    }
    await Promise.all(Array.from({ length: 110 }, (_, i) => other.echo({ payload: Buffer.alloc(10_000, i) })));
    await other.echo({ payload: Buffer.alloc(1 << 20, 0xff) });
    expect(came.map((read) => read())).toEqual(due);
  });

  test("a stream that is alone on its connection and read slowly waits, and all of it comes", async () => {
    const [count, size] = [200, 100_000];
    let given = 0;
    const address = await open({
      *split() {
        for (; given < count; given++) yield { payload: payload(size, given), number: BigInt(given) };
      },
    });
    let seen = 0;
    for await (const message of dial(address, { streamBytes: 3 * size }).split({})) {
      await turns(seen === 0 ? 100 : 2);
      // A few of them are this side's and the server's, up to 100 the system's.
      if (seen === 0) expect(given).toBeLessThan(count - 50);
      expect([message.number, payload(size, seen).equals(message.payload)]).toEqual([BigInt(seen), true]);
      seen++;
    }
    expect(seen).toBe(count);
  });

  test("with a frame a turn, what waits for its turn is what was sent, whatever others receive meanwhile", async () => {
    const address = await open();
    const bodies = [10, 500, 200_000, 10, 5000, 20_000, 200_000, 0, 1, 64, 200_000, 16_384, ...Array(50).fill(100)];
    const run = async (seed: number): Promise<boolean[]> => {
      const client = dial(address, { framesPerTurn: 1 });
      const sent = bodies.map((size, i) => ({ payload: payload(size, seed + i), text: `${seed + i} of this many` }));
      const calls = Promise.all(sent.map((request) => client.echo(request)));
      const streamed = Array.fromAsync(client.chat(sent));
      const same = ({ payload, text }: { payload: Uint8Array; text: string }, i: number): boolean =>
        sent[i]?.text === text && sent[i].payload.equals(payload);
      return [...(await calls).map(same), ...(await streamed).map(same)];
    };
    for (const same of await Promise.all([run(0), run(1000), run(2000)])) {
      expect(same).toEqual([...bodies, ...bodies].map(() => true));
    }
  });
});

test("no field of a frame in the shared memory is large enough for codecs to take a view of it", () => {
  // From a quarter of the memory on they do.
  expect(ownBytes * 4).toBeLessThanOrEqual(slabBytes);
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
