// Links over real sockets and over streams that behave in their own ways.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { Duplex, duplexPair, PassThrough } from "node:stream";
import { turns, watchHandles } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import type { Link } from "./link.js";
import { socketLink } from "./socket-link.js";

const peer = { kind: "test", address: "test:" };

/** What a link told its session. */
interface Told {
  readonly chunks: Buffer[];
  drained: number;
  readonly closed: (Error | undefined)[];
}

function listen(link: Link): Told {
  const told: Told = { chunks: [], drained: 0, closed: [] };
  link.start({
    received: (chunk) => void told.chunks.push(chunk),
    drained: () => void told.drained++,
    closed: (error) => void told.closed.push(error),
  });
  return told;
}

const bytes = (told: Told): string => Buffer.concat(told.chunks).toString();

async function socketPair(): Promise<{ ours: Socket; theirs: Socket; end: () => Promise<void> }> {
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const ours = createConnection((server.address() as { port: number }).port, "127.0.0.1");
  const [[theirs]] = await Promise.all([once(server, "connection") as Promise<[Socket]>, once(ours, "connect")]);
  const end = async (): Promise<void> => {
    ours.destroy();
    theirs.destroy();
    await once(server.close(), "close");
  };
  return { ours, theirs, end };
}

describe("a socket", () => {
  test("carries bytes both ways, and lets go of memory that the system took", async () => {
    const allClosed = watchHandles();
    const { ours, theirs, end } = await socketPair();
    const link = socketLink(ours, peer);
    const told = listen(link);
    expect(link.write(Buffer.from("to "))).toBe(true);
    link.writeAll([Buffer.from("t"), Buffer.from("here")]);
    expect((await once(theirs, "data"))[0].toString()).toMatch(/^to /);
    theirs.write("back");
    await once(ours, "data");
    expect([bytes(told), link.queuedBytes]).toEqual(["back", 0]);
    await end();
    await allClosed();
  });

  test("keeps memory while the peer does not read, and tells once all is sent", async () => {
    const { ours, theirs, end } = await socketPair();
    theirs.pause();
    const link = socketLink(ours, peer);
    const told = listen(link);
    let writes = 0;
    while (link.write(Buffer.alloc(1 << 20)) && writes < 100) writes++;
    expect(link.queuedBytes).toBeGreaterThan(0);
    link.writeAll([Buffer.alloc(100), Buffer.alloc(100)]);
    expect(told.drained).toBe(0);
    theirs.resume();
    while (told.drained === 0) await turns(1);
    expect(link.queuedBytes).toBe(0);
    await end();
  });

  test("stops and goes on", async () => {
    const { ours, theirs, end } = await socketPair();
    const link = socketLink(ours, peer);
    const told = listen(link);
    theirs.write("a");
    while (told.chunks.length === 0) await turns(1);
    link.pause();
    theirs.write("b");
    await turns(50);
    expect(bytes(told)).toBe("a");
    link.resume();
    while (told.chunks.length === 1) await turns(1);
    expect(bytes(told)).toBe("ab");
    await end();
  });

  test("ends after what was written is sent", async () => {
    const { ours, theirs, end } = await socketPair();
    const link = socketLink(ours, peer);
    const told = listen(link);
    link.pause();
    link.write(Buffer.alloc(5 << 20, 1));
    link.end();
    let got = 0;
    for await (const chunk of theirs) got += chunk.length;
    expect(got).toBe(5 << 20);
    while (told.closed.length === 0) await turns(1);
    expect(told.closed).toEqual([undefined]);
    link.end();
    link.destroy();
    link.write(Buffer.from("late"));
    link.writeAll([Buffer.from("late")]);
    await turns();
    expect(told.closed).toHaveLength(1);
    await end();
  });

  test.each(["end", "destroy"] as const)("is closed when the peer's side is, by %s", async (how) => {
    const { ours, theirs, end } = await socketPair();
    const told = listen(socketLink(ours, peer));
    theirs[how]();
    while (told.closed.length === 0) await turns(1);
    expect(told.closed).toEqual([undefined]);
    await end();
  });

  test("tells the error it was closed with, once", async () => {
    const { ours, theirs, end } = await socketPair();
    const told = listen(socketLink(ours, peer));
    theirs.resetAndDestroy();
    while (told.closed.length === 0) await turns(1);
    await turns();
    expect(told.closed).toMatchObject([{ code: "ECONNRESET" }]);
    await end();
  });
});

describe("any other Duplex", () => {
  test("gets copies, as it may keep what it is given", async () => {
    const given: Buffer[] = [];
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        if (chunk.length > 0) given.push(chunk);
        done();
      },
    });
    const link = socketLink(stream, peer);
    listen(link);
    const memory = Buffer.from("abc");
    expect(link.write(memory)).toBe(true);
    memory.fill("x");
    expect(Buffer.concat(given).toString()).toBe("abc");
    link.destroy();
  });

  test("that is slow tells when it has taken everything", async () => {
    const waiting: (() => void)[] = [];
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void waiting.push(done) });
    const link = socketLink(stream, peer);
    const told = listen(link);
    link.write(Buffer.from("abc"));
    link.write(Buffer.from("def"));
    expect([link.queuedBytes, told.drained]).toEqual([6, 0]);
    while (waiting.length > 0) {
      waiting.shift()?.();
      await turns(1);
    }
    expect(link.queuedBytes).toBe(0);
    expect(told.drained).toBeGreaterThan(0);
    link.destroy();
  });

  test("that is over before the link starts tells so at once", async () => {
    const [ours, theirs] = duplexPair();
    const link = socketLink(ours, peer);
    ours.resume();
    theirs.destroy();
    ours.destroy(new Error("early"));
    await turns();
    const told = listen(link);
    expect(told.closed).toMatchObject([{ message: "early" }]);
    await turns();
    expect(told.closed).toHaveLength(1);
  });

  test("that ends before the link starts is destroyed", async () => {
    const stream = new PassThrough();
    socketLink(stream, peer);
    stream.resume();
    stream.end();
    await once(stream, "close");
    expect(stream.destroyed).toBe(true);
  });

  test("that fails later tells why, and nothing is uncaught", async () => {
    const [ours] = duplexPair();
    const told = listen(socketLink(ours, peer));
    ours.destroy(new Error("broken"));
    await turns();
    expect(told.closed).toMatchObject([{ message: "broken" }]);
  });

  test.each([
    ["is destroyed", (link: Link) => link.destroy()],
    ["ends", (link: Link) => link.end()],
    ["fails", (_: Link, stream: Duplex) => void stream.destroy(new Error("broken"))],
  ])("that never says that it is closed is over when it %s", async (_, end) => {
    const stream = new Duplex({ emitClose: false, read() {}, write: (_chunk, _encoding, done) => done() });
    const link = socketLink(stream, peer);
    const told = listen(link);
    end(link, stream);
    await turns();
    expect([told.closed.length, stream.destroyed]).toEqual([1, true]);
  });

  test("gives nothing more once it has ended", async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const told = listen(socketLink(stream, peer));
    stream.push("a");
    await turns();
    stream.emit("end");
    stream.emit("data", Buffer.from("b"));
    expect([bytes(told), told.closed.length]).toEqual(["a", 1]);
    stream.destroy();
  });
});
