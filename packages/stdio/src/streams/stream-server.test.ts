import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { createStreamServer, type StreamServer, type StreamServerOptions } from "./index.js";
import {
  all,
  connection,
  connections,
  errorOf,
  first,
  open,
  type Peer,
  peer,
  until,
  untilGone,
} from "./streams.test.support.js";

interface Served extends AsyncDisposable {
  readonly streams: StreamServer;
  readonly guest: Peer;
  /** Connects and writes. */
  raw(bytes: readonly number[]): Promise<Socket>;
}

async function served(options?: StreamServerOptions): Promise<Served> {
  const streams = createStreamServer(options);
  const guest = await peer((socket) => streams.attach(socket));
  const sockets: Socket[] = [];
  return {
    streams,
    guest,
    async raw(bytes) {
      const socket = await connection(guest.port);
      socket.on("error", () => {});
      sockets.push(socket);
      for (const byte of bytes) socket.write(Buffer.from([byte]));
      return socket;
    },
    async [Symbol.asyncDispose]() {
      await streams.close();
      for (const socket of sockets) socket.destroy();
      await guest[Symbol.asyncDispose]();
    },
  };
}

test("an id is echoed, and the stream waits with all that comes until it is claimed", async () => {
  await using host = await served();
  const socket = await host.raw([0, 0, 1, 2, ...Buffer.from("early")]);
  expect([...(await first(socket, 4))]).toEqual([0, 0, 1, 2]);
  expect([host.streams.unclaimed, host.streams.claimed]).toEqual([1, 0]);
  const stream = await host.streams.take(258);
  expect([stream.id, stream.url]).toEqual([258, "stream://258"]);
  expect([host.streams.unclaimed, host.streams.claimed]).toEqual([0, 1]);
  socket.end(" and late");
  expect(await all(stream)).toBe("early and late");
  stream.destroy();
});

test("each side ends on its own", async () => {
  await using host = await served();
  const opened = await open(host.guest.address, { id: 1, allowHalfOpen: true });
  const stream = await host.streams.take(1);
  stream.end("from the guest");
  expect(await all(opened)).toBe("from the guest");
  opened.end("from the host");
  expect(await all(stream)).toBe("from the host");
  stream.destroy();
});

test("who does not read holds the other side up", async () => {
  await using host = await served();
  const opened = await open(host.guest.address, { id: 1 });
  let written = 0;
  while (opened.write(new Uint8Array(65_536)) || written === 0) written += 65_536;
  await host.streams.take(1).then(async (stream) => {
    const size = all(stream).then(({ length }) => length);
    opened.end();
    expect(await size).toBe(opened.bytesWritten - 4);
  });
});

test("an id in use is closed without an echo, waiting or claimed, and is free again after the end", async () => {
  await using host = await served();
  const { address } = host.guest;
  const opened = await open(address, { id: 5 });
  expect((await errorOf(open(address, { id: 5 }))).code).toBe(Code.AlreadyExists);
  const stream = await host.streams.take(5);
  expect((await errorOf(open(address, { id: 5 }))).code).toBe(Code.AlreadyExists);
  opened.write("lives");
  expect((await first(stream as unknown as Socket, 5)).toString()).toBe("lives");
  const closed = once(stream, "close");
  stream.destroy();
  await closed;
  expect(host.streams.claimed).toBe(0);
  const next = await open(address, { id: 5 });
  expect(await host.streams.take(5)).not.toBe(stream);
  opened.destroy();
  next.destroy();
});

test("0, half an id and none in time are closed", async () => {
  await using host = await served({ limits: { nameMs: 50 } });
  const zero = await host.raw([0, 0, 0, 0]);
  const half = await host.raw([0, 0]);
  half.end();
  const silent = await host.raw([]);
  expect(await Promise.all([zero, half, silent].map(untilGone))).toEqual(["", "", ""]);
  expect(host.streams.unclaimed).toBe(0);
});

test("too many that say nothing, too many that nobody claims and those that wait too long are closed", async () => {
  await using silent = await served({ limits: { unnamed: 1 } });
  const one = await silent.raw([]);
  await until(async () => (await connections(silent.guest.server)) === 1);
  expect(await untilGone(await silent.raw([0, 0, 0, 1]))).toBe("");
  one.write(Buffer.from([0, 0, 0, 2]));
  expect([...(await first(one, 4))]).toEqual([0, 0, 0, 2]);

  await using full = await served({ limits: { unclaimed: 2 } });
  const { address } = full.guest;
  const waiting = [await open(address, { id: 1 }), await open(address, { id: 2 })];
  expect((await errorOf(open(address, { id: 3 }))).code).toBe(Code.AlreadyExists);
  // Who is waited for has a place.
  const taking = full.streams.take(4, { timeoutMs: 60_000 });
  const awaited = await open(address, { id: 4 });
  await taking;
  for (const stream of [...waiting, awaited]) stream.destroy();

  await using brief = await served({ limits: { unclaimedMs: 20 } });
  expect(await untilGone(await open(brief.guest.address, { id: 1 }))).toBe("");
  await until(() => brief.streams.unclaimed === 0);
});

test("a stream can be waited for, by one", async () => {
  await using host = await served();
  const { streams } = host;
  const absent = await errorOf(streams.take(8));
  expect(absent).toMatchObject({ code: Code.NotFound, rawMessage: expect.stringContaining("stream://8: no conn") });
  expect(await errorOf(streams.take(8, { timeoutMs: 5 }))).toMatchObject({
    code: Code.NotFound,
    rawMessage: expect.stringContaining("within 5 ms"),
  });
  const controller = new AbortController();
  const canceled = errorOf(streams.take(8, { timeoutMs: 60_000, signal: controller.signal }));
  expect((await errorOf(streams.take(8))).code).toBe(Code.FailedPrecondition);
  controller.abort();
  expect((await canceled).code).toBe(Code.Canceled);

  const taking = streams.take(8, { timeoutMs: Number.POSITIVE_INFINITY });
  const opened = await open(host.guest.address, { id: 8 });
  const stream = await taking;
  expect((await errorOf(streams.take(8))).rawMessage).toBe("stream://8 is in use by another process");
  stream.end();
  expect(await all(opened)).toBe("");
  expect((await errorOf(streams.take(0))).code).toBe(Code.InvalidArgument);
});

test("a stream that has broken is not handed out while it closes", async () => {
  const streams = createStreamServer();
  const connection = new Duplex({
    read() {},
    write: (_data, _encoding, done) => done(),
    // As of a socket, whose descriptor takes a while to close.
    destroy: (error, done) => void setImmediate(done, error),
  });
  streams.attach(connection);
  connection.push(Buffer.from([0, 0, 0, 9]));
  await until(() => streams.unclaimed === 1);
  connection.destroy();
  expect((await errorOf(streams.take(9))).code).toBe(Code.NotFound);
  await until(() => streams.unclaimed === 0);
  await streams.close();
});

test("a server that closes ends what nobody claimed, and leaves the rest", async () => {
  await using host = await served();
  const { streams, guest } = host;
  const [claimed, waiting] = [await open(guest.address, { id: 1 }), await open(guest.address, { id: 2 })];
  const silent = await host.raw([0]);
  const stream = await streams.take(1);
  const taking = errorOf(streams.take(3, { timeoutMs: Number.POSITIVE_INFINITY }));
  await streams.close();
  await streams[Symbol.asyncDispose]();
  expect((await taking).code).toBe(Code.Unavailable);
  expect([await untilGone(waiting), await untilGone(silent)]).toEqual(["", ""]);
  expect((await errorOf(open(guest.address, { id: 4 }))).code).toBe(Code.AlreadyExists);
  expect((await errorOf(streams.take(2))).code).toBe(Code.Unavailable);
  expect((await errorOf(streams.listen("tcp://127.0.0.1:0"))).code).toBe(Code.Unavailable);
  stream.end("still there");
  expect(await all(claimed)).toBe("still there");
});

test("it listens on addresses", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-raw-"));
  const streams = createStreamServer();
  const unix = await streams.listen(`unix://${folder}/streams.sock`);
  const tcp = await streams.listen("tcp://127.0.0.1:0");
  expect((await errorOf(streams.listen(unix))).code).toBe(Code.AlreadyExists);
  expect((await errorOf(streams.listen("nowhere"))).code).toBe(Code.InvalidArgument);
  const opened = await Promise.all([open(unix, { id: 1 }), open(tcp, { id: 2 })]);
  expect(streams.unclaimed).toBe(2);
  await streams.close();
  expect(await Promise.all(opened.map(untilGone))).toEqual(["", ""]);
  await rm(folder, { recursive: true });
});

test("a thousand streams leave nothing behind", async () => {
  await using host = await served();
  for (let round = 0; round < 20; round++) {
    const opened = await Promise.all(
      Array.from({ length: 50 }, (_, index) => open(host.guest.address, { id: 1 + round * 50 + index })),
    );
    // Half of them ended by the guest, half by the host while nobody had claimed them yet.
    for (const stream of opened.splice(25)) {
      stream.destroy();
      (await host.streams.take(stream.id)).resume().end();
    }
    for (const { id } of opened) (await host.streams.take(id)).destroy();
    expect(await Promise.all(opened.map(untilGone))).toEqual(opened.map(() => ""));
  }
  await until(async () => (await connections(host.guest.server)) === 0);
  await until(() => host.streams.unclaimed + host.streams.claimed === 0);
});

test("limits that are none are refused", () => {
  expect(() => createStreamServer({ nameMs: 5 } as never)).toThrow('createStreamServer() has no option "nameMs"');
  for (const limits of [
    { nameMs: 0 },
    { unclaimed: Number.NaN },
    { unclaimedMs: "1" as never },
    { other: 1 } as never,
  ]) {
    expect(() => createStreamServer({ limits })).toThrow(/limits\.(nameMs|unclaimed|unclaimedMs|other) /);
  }
});
