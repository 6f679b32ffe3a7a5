import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { createStreamIds, openStream } from "./index.js";
import { all, errorOf, first, open, patient, peer } from "./streams.test.support.js";

const echo = async (socket: Socket, behind = ""): Promise<void> => {
  socket.write(Buffer.concat([await first(socket, 4), Buffer.from(behind)]));
};

test("four bytes go out, the same come back, and what follows them is the caller's", async () => {
  const sent: Buffer[] = [];
  await using guest = await peer(async (socket) => {
    const id = await first(socket, 4);
    sent.push(id);
    socket.write(Buffer.concat([id, Buffer.from("behind the echo, ")]));
    socket.end(`then ${await all(socket)}`);
  });
  const stream = await open(guest.address, { id: 0x01020304, allowHalfOpen: true });
  expect(sent).toEqual([Buffer.from([1, 2, 3, 4])]);
  expect([stream.id, stream.url]).toEqual([0x01020304, "stream://16909060"]);
  stream.end("the rest");
  expect(await all(stream)).toBe("behind the echo, then the rest");
});

test("the echo may come byte by byte", async () => {
  await using guest = await peer(async (socket) => {
    for (const byte of await first(socket, 4)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end("end");
  });
  expect(await all(await open(guest.address))).toBe("end");
});

test("ids come from one count of the process, from the caller's, or are given", async () => {
  await using guest = await peer((socket) => void echo(socket));
  const ids = createStreamIds(70);
  const streams = [
    await open(guest.address),
    await openStream(() => createConnection(guest.port, "127.0.0.1"), patient),
    await open(guest.address, { id: ids }),
    await open(guest.address, { id: ids }),
    await open(guest.address, { id: 9 }),
  ];
  const [a, b, ...others] = streams.map(({ id }) => id);
  expect(b).toBe((a as number) + 1);
  expect(others).toEqual([70, 71, 9]);
  for (const stream of streams) stream.destroy();
});

test("what other than the echo may happen is told apart, and the connection is closed", async () => {
  const ends: Promise<unknown>[] = [];
  const failing = async (act: (socket: Socket) => unknown, timeoutMs = 60_000): Promise<unknown> => {
    await using guest = await peer(async (socket) => {
      ends.push(once(socket, "close"));
      await first(socket, 4).then(() => act(socket));
    });
    const { code, rawMessage, reason } = await errorOf(open(guest.address, { id: 7, timeoutMs }));
    return { code, text: rawMessage.replaceAll(guest.address, "GUEST"), reason };
  };
  expect(await failing((socket) => socket.end())).toEqual({
    code: Code.AlreadyExists,
    text: "GUEST closed stream 7 in place of echoing its id: a guest does that for an id in use, and when it ends",
    reason: undefined,
  });
  expect(await failing((socket) => socket.end(Buffer.from([0, 0, 0])))).toEqual({
    code: Code.Unavailable,
    text: "GUEST closed stream 7 after 3 of the 4 bytes of its echo",
    reason: "connection_closed",
  });
  expect(await failing((socket) => socket.write("HTTP/1.1 400"))).toEqual({
    code: Code.Internal,
    text: "GUEST echoed 1213486160 for stream 7: it does not serve raw streams",
    reason: "protocol",
  });
  expect(await failing((socket) => socket.resetAndDestroy())).toMatchObject({
    code: Code.Unavailable,
    text: expect.stringContaining("stream 7 of GUEST broke before its id was echoed"),
  });
  expect(await failing(() => {}, 200)).toEqual({
    code: Code.DeadlineExceeded,
    text: "opening stream 7 of GUEST took longer than 200 ms",
    reason: "deadline",
  });
  await Promise.all(ends);
  expect(ends).toHaveLength(5);
});

test("a signal gives up, before and while the echo is waited for", async () => {
  const accepted = Promise.withResolvers<Socket>();
  await using guest = await peer(accepted.resolve);
  const why = new Error("no longer wanted");
  const early = await errorOf(openStream(guest.address, { id: 7, signal: AbortSignal.abort(why) }));
  expect(early).toMatchObject({ code: Code.Canceled, reason: "canceled", cause: why });
  const controller = new AbortController();
  const opening = errorOf(open(guest.address, { id: 7, signal: controller.signal }));
  const socket = await accepted.promise;
  await first(socket, 4);
  const closed = once(socket.resume(), "end");
  controller.abort(why);
  expect((await opening).rawMessage).toBe(`opening stream 7 of ${guest.address} was canceled: no longer wanted`);
  await closed;
});

test("a dialer that ignores its signal has its late connection closed", async () => {
  const controller = new AbortController();
  const late = Promise.withResolvers<Duplex>();
  const opening = errorOf(openStream(() => late.promise, { signal: controller.signal }));
  controller.abort();
  expect((await opening).code).toBe(Code.Canceled);
  const stream = new PassThrough();
  late.resolve(stream);
  await once(stream, "close");
});

test("a guest that is coming up is dialed again", async () => {
  await using guest = await peer((socket) => void echo(socket, "up"));
  let attempts = 0;
  const dial = (): Socket => {
    if (++attempts > 3) return createConnection(guest.port, "127.0.0.1");
    throw Object.assign(new Error("connect ENODEV"), { code: "ENODEV" });
  };
  const stream = await openStream(dial, patient);
  expect((await first(stream, 2)).toString()).toBe("up");
  expect(attempts).toBe(4);
  stream.destroy();
});

test("sockets that still connect count as attempts: those that fail are followed by others", async () => {
  await using guest = await peer((socket) => void echo(socket, "up"));
  let attempts = 0;
  const dial = (): Socket =>
    ++attempts > 2 ? createConnection(guest.port, "127.0.0.1") : createConnection("/nowhere/streams.sock");
  const stream = await openStream(dial, patient);
  expect((await first(stream, 2)).toString()).toBe("up");
  expect(attempts).toBe(3);
  stream.destroy();
});

test("a connection that was closed on this side is not taken for the guest's refusal", async () => {
  const closed = new PassThrough();
  closed.destroy();
  const closing = new Duplex({ read() {}, write: () => void closing.destroy() });
  for (const stream of [closed, closing]) {
    const { code, rawMessage } = await errorOf(openStream(() => stream, { id: 7 }));
    expect([code, rawMessage]).toEqual([
      Code.Unavailable,
      "stream 7 of duplex: broke before its id was echoed: the connection was closed",
    ]);
  }
});

test("nobody there is told with the address, after the policy's time", async () => {
  const policy = { timeoutMs: 30, attempt: { initialMs: 30, maxMs: 30 }, pause: { initialMs: 5, maxMs: 5 } };
  const error = await errorOf(openStream("unix:///nowhere/streams.sock", { policy }));
  // The time was the policy's: nobody had set one, and whoever waits for longer may come again.
  expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
  expect(error.rawMessage).toMatch(
    /^cannot connect to unix:\/\/\/nowhere\/streams.sock: (connect ENOENT|no connection) .*attempts? in/,
  );
});

test("a time of the caller's is told as such, also while nobody is there", async () => {
  const policy = { timeoutMs: 0, attempt: { initialMs: 30, maxMs: 30 }, pause: { initialMs: 5, maxMs: 5 } };
  const error = await errorOf(openStream("unix:///nowhere/streams.sock", { id: 7, policy, timeoutMs: 20 }));
  expect(error).toMatchObject({
    code: Code.DeadlineExceeded,
    reason: "deadline",
    rawMessage: "opening stream 7 of unix:///nowhere/streams.sock took longer than 20 ms",
  });
});

test("wrong arguments are refused by their names", async () => {
  const dial = (): Duplex => new PassThrough();
  for (const [call, text] of [
    [openStream("nowhere"), '"nowhere" is no address'],
    [openStream(7 as never), "openStream() takes an address or a function"],
    [openStream(dial, { id: 0 }), "0 is no stream id"],
    [openStream(dial, { id: "5" as never }), 'id must be a number or what createStreamIds() gave, not "5"'],
    [openStream(dial, { id: null as never }), "id must be a number or what createStreamIds() gave, not null"],
    [openStream(dial, { timeout: 5 } as never), 'openStream() has no option "timeout"'],
    [openStream(dial, { timeoutMs: -1 }), "timeoutMs must be a number"],
    [openStream(dial, { signal: new AbortController() as never }), "pass its .signal"],
    [openStream((() => 7) as never), "did not return a Duplex"],
  ] as const) {
    expect(await errorOf(call)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining(text),
    });
  }
  const objects = new Duplex({ objectMode: true, write: (_chunk, _encoding, done) => done(), read() {} });
  objects.push({ not: "bytes" });
  expect(await errorOf(openStream(() => objects))).toMatchObject({ code: Code.InvalidArgument });
  expect(objects.destroyed).toBe(true);
});
