// mux() with a raw trunk at its other end, and two of them with ttrpc over both connections at once.
import type { Duplex } from "node:stream";
import { Code, createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, FakeClock, streamPair, turns } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "../channel.js";
import { serve } from "../server.js";
import { type MuxOptions, mux } from "./mux.js";
import { MuxCutter, muxPayloadBytes, muxSafeBytes } from "./mux-frame.js";

const header = (id: number, length: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(id, 0);
  bytes.writeUInt32BE(length, 4);
  return bytes;
};
const frame = (id: number, text: string): Buffer => Buffer.concat([header(id, text.length), Buffer.from(text)]);

/** Collects what a stream gives, as text. */
function collect(stream: Duplex): { text: string; ended: boolean } {
  const got = { text: "", ended: false };
  stream.on("data", (chunk: Buffer) => {
    got.text += chunk.toString("latin1");
  });
  stream.on("end", () => {
    got.ended = true;
  });
  stream.on("error", () => {});
  return got;
}

function start(options: MuxOptions = {}, reads = true) {
  const [ours, raw] = streamPair();
  const clock = new FakeClock();
  if (reads) raw.resume();
  raw.on("error", () => {});
  return { clock, raw, trunk: ours, connections: mux(ours, { clock, ...options }) };
}

/** The ttrpc message with so much data. */
function message(bytes: number): Buffer {
  const all = Buffer.alloc(10 + bytes, 9);
  all.writeUInt32BE(bytes, 0);
  return all;
}

/** The lengths of the frames that these writes are cut into. */
function lengths(...writes: Buffer[]): number[] {
  const cutter = new MuxCutter(7);
  const pieces = writes.flatMap((bytes) => cutter.cut(bytes));
  const sent = pieces.filter((_, i) => i % 2 === 1);
  expect(Buffer.compare(Buffer.concat(sent), Buffer.concat(writes))).toBe(0);
  const headers = pieces.filter((_, i) => i % 2 === 0);
  expect(Buffer.compare(Buffer.concat(headers), Buffer.concat(sent.map((p) => header(7, p.length))))).toBe(0);
  return sent.map(({ length }) => length);
}

test("small messages share frames of at most 4,096 bytes", () => {
  expect(lengths(Buffer.concat([message(0), message(100), message(3000)]))).toEqual([3130]);
  expect(lengths(Buffer.concat(Array.from({ length: 100 }, () => message(90))))).toEqual([4096, 4096, 1808]);
});

test("a large message is its first 4,096 bytes and the rest", () => {
  expect(lengths(message(4086))).toEqual([4096]);
  expect(lengths(message(4087))).toEqual([4096, 1]);
  expect(lengths(message(100_000))).toEqual([4096, 95_914]);
  expect(lengths(message(4 << 20))).toEqual([4096, muxPayloadBytes - 4096]);
});

test("a frame never goes beyond the end of a large message, but in 4,096 bytes", () => {
  const two = Buffer.concat([message(100_000), message(20_000), message(5)]);
  expect(lengths(two)).toEqual([4096, 95_914, 4096, 15_914, 15]);
  expect(lengths(Buffer.concat([message(50), message(5000)]))).toEqual([4096, 974]);
});

test("however a message is cut into writes, a frame is safe or lies within what is left of the message", () => {
  const all = Buffer.concat([message(70_000), message(0), message(9000), message(4 << 20)]);
  for (const step of [1, 7, 4096, 5000, 65_536]) {
    const writes: Buffer[] = [];
    const from = step < 4096 ? all.length - 9000 : 0;
    if (from > 0) writes.push(all.subarray(0, from));
    for (let at = from; at < all.length; at += step) writes.push(all.subarray(at, at + step));
    const ends = [70_010, 70_020, 79_030, all.length];
    let at = 0;
    for (const length of lengths(...writes)) {
      const left = (ends.find((end) => end > at) as number) - at;
      if (length > muxSafeBytes && length > left) throw new Error(`a frame of ${length} with ${left} left at ${at}`);
      at += length;
    }
  }
});

test("bytes come to the connection of their id, however they are cut", async () => {
  const { raw, connections } = start();
  const [one, two] = [collect(connections.open(1)), collect(connections.open(2))];
  const all = Buffer.concat([frame(1, "abc"), frame(2, ""), frame(2, "xyz"), frame(1, "def")]);
  for (const byte of all) raw.write(Buffer.from([byte]));
  await turns(5);
  expect([one.text, two.text]).toEqual(["abcdef", "xyz"]);
  await connections.close();
});

test("what comes for an id that is not open is dropped; for one that is opened together with the first, nothing is", async () => {
  const { raw, connections } = start();
  raw.write(Buffer.concat([frame(0, "no"), frame(5, "no"), frame(1, "a"), frame(2, "b")]));
  await turns(5);
  const [one, two] = [collect(connections.open(1)), collect(connections.open(2))];
  await turns(5);
  expect([one.text, two.text]).toEqual(["a", "b"]);
  await connections.close();
});

test("ids and bounds", async () => {
  const { connections } = start({ connections: 2 });
  for (const id of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
    expect(() => connections.open(id)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  }
  const one = connections.open(1);
  connections.open(0xffff_ffff);
  expect(() => connections.open(1)).toThrow(expect.objectContaining({ code: Code.AlreadyExists }));
  expect(() => connections.open(3)).toThrow(expect.objectContaining({ code: Code.ResourceExhausted }));
  one.destroy();
  await turns();
  connections.open(1);
  await connections.close();
  expect(() => connections.open(3)).toThrow(expect.objectContaining({ code: Code.Unavailable }));
  for (const bad of [{ connections: 0 }, { connectionBytes: Number.NaN }, { stallMs: -1 }]) {
    expect(() => mux(streamPair()[0], bad)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  }
  expect(() => mux({} as Duplex)).toThrow("mux() takes a Duplex");
});

test("a connection that ends tells the other side nothing, and its id may be opened again", async () => {
  const { raw, connections } = start();
  const got = collect(raw);
  const first = connections.open(1);
  first.write("a");
  first.destroy();
  await turns(5);
  const again = connections.open(1);
  const seen = collect(again);
  again.write("b");
  raw.write(frame(1, "c"));
  await turns(5);
  expect([got.text, got.ended, seen.text]).toEqual([
    Buffer.concat([frame(1, "a"), frame(1, "b")]).toString("latin1"),
    false,
    "c",
  ]);
  await connections.close();
});

test("a frame over the limit ends all, with a reason; one at the limit does not", async () => {
  const { raw, connections } = start();
  const one = connections.open(1);
  const got = collect(one);
  raw.write(header(9, muxPayloadBytes));
  raw.write(Buffer.alloc(muxPayloadBytes));
  raw.write(Buffer.concat([frame(1, "a"), header(1, muxPayloadBytes + 1)]));
  const error = await connections.closed;
  expect(error?.message).toBe("connection 1: a frame of 4194315 bytes was announced; the limit is 4194314");
  expect([got.text, one.destroyed]).toEqual(["a", true]);
});

test("the trunk's end is every connection's, after what came; within a frame it is an error", async () => {
  const { raw, connections } = start();
  const got = [collect(connections.open(1)), collect(connections.open(2))];
  raw.end(frame(2, "last"));
  expect(await connections.closed).toBeUndefined();
  await turns();
  expect(got).toEqual([
    { text: "", ended: true },
    { text: "last", ended: true },
  ]);
  const cut = start();
  const one = cut.connections.open(1);
  collect(one);
  cut.raw.end(frame(1, "abc").subarray(0, 9));
  expect((await cut.connections.closed)?.message).toBe("the trunk ended within a frame");
  expect(one.destroyed).toBe(true);
  const dead = streamPair()[0];
  dead.destroy();
  await turns();
  expect(await mux(dead).closed).toBeUndefined();
});

test("close sends what was written; a peer that reads nothing does not keep it for ever", async () => {
  const { raw, connections } = start();
  const got = collect(raw);
  const one = connections.open(1);
  one.write(message(1 << 20));
  one.write("end");
  await connections.close();
  await turns(5);
  expect([got.text.endsWith("end"), got.ended]).toEqual([true, true]);
  const deaf = start({}, false);
  deaf.connections.open(1).write(message(1 << 20));
  const closed = deaf.connections.close();
  await deaf.clock.elapse(5000);
  await closed;
  expect(deaf.clock.pending).toBe(0);
});

test("a connection that is not read stops the trunk, and fails after a while; the others go on", async () => {
  const { raw, clock, trunk, connections } = start({ connectionBytes: 1000, stallMs: 100 });
  const unread = connections.open(1);
  const failed = new Promise<Error>((resolve) => unread.once("error", resolve));
  const two = collect(connections.open(2));
  raw.write(Buffer.concat([frame(1, "x".repeat(999)), frame(2, "a")]));
  await turns(5);
  expect([trunk.isPaused(), two.text]).toEqual([false, "a"]);
  raw.write(frame(1, "x"));
  await turns(5);
  raw.write(frame(2, "b"));
  await turns(5);
  expect([trunk.isPaused(), two.text]).toEqual([true, "a"]);
  // Read a little within its time, it gets more of it.
  await clock.elapse(90);
  unread.read(100);
  await clock.elapse(100);
  expect([unread.destroyed, two.text]).toEqual([false, "a"]);
  await clock.elapse(100);
  expect(await failed).toMatchObject({ code: Code.ResourceExhausted, reason: "overflow" });
  await turns(5);
  expect([trunk.isPaused(), two.text, clock.pending]).toEqual([false, "ab", 0]);
  await connections.close();
});

test("a full connection of which half is read lets the trunk go on", async () => {
  const { raw, clock, trunk, connections } = start({ connectionBytes: 1000 });
  const slow = connections.open(1);
  raw.write(frame(1, "x".repeat(1500)));
  await turns(5);
  expect(trunk.isPaused()).toBe(true);
  slow.read(900);
  slow.read(200);
  await turns(5);
  expect([trunk.isPaused(), clock.pending, slow.readableLength]).toEqual([false, 0, 400]);
  await connections.close();
});

test("ttrpc both ways over one trunk at once, with large messages and streams", async () => {
  const ends = streamPair().map((trunk, i) => {
    const connections = mux(trunk);
    const server = serve().service(EchoService, echoHandlers);
    server.attach(connections.open(i + 1));
    const channel = connect(connections.open(2 - i));
    return { connections, server, channel, client: createClient(EchoService, channel) };
  });
  const work = ends.map(async ({ client }) => {
    const large = Buffer.alloc((4 << 20) - 100, 3);
    const calls = Array.from({ length: 1000 }, async (_, i) => (await client.echo({ number: BigInt(i) })).number);
    const answer = client.echo({ payload: large });
    let count = 0;
    for await (const _ of client.split({ count: 500, payload: Buffer.alloc(10_000) })) count++;
    expect(await Promise.all(calls)).toEqual(calls.map((_, i) => BigInt(i)));
    expect([Buffer.compare((await answer).payload, large), count]).toEqual([0, 500]);
  });
  await Promise.all(work);
  for (const { channel, server } of ends) {
    await channel.close();
    await server.close();
  }
  for (const { connections } of ends) await connections.close();
});
