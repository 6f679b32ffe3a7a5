// What dialHybrid hands over: a plain socket, with every byte that follows the answer, untouched.
import { getEventListeners, once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { rawVmm, readAll, socketPath } from "./hybrid.test.support.js";
import { dialHybrid } from "./hybrid-dial.js";

async function dialed(path: string, options = {}): Promise<Socket> {
  const socket = await dialHybrid({ path, port: 1024 }, options);
  onTestFinished(() => void socket.destroy());
  return socket;
}

describe("the socket handed over", () => {
  const ways: [string, (socket: Socket) => Promise<Buffer>][] = [
    [
      "for await",
      async (socket) => {
        const chunks: Buffer[] = [];
        for await (const chunk of socket) chunks.push(chunk);
        return Buffer.concat(chunks);
      },
    ],
    ["pipe", (socket) => readAll(socket.pipe(new PassThrough()))],
    [
      "data",
      async (socket) => {
        const chunks: Buffer[] = [];
        socket.on("data", (chunk: Buffer) => chunks.push(chunk));
        if (!socket.readableEnded) await once(socket, "end");
        return Buffer.concat(chunks);
      },
    ],
    [
      "readable",
      async (socket) => {
        const chunks: Buffer[] = [];
        socket.on("readable", () => {
          for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
        });
        if (!socket.readableEnded) await once(socket, "end");
        return Buffer.concat(chunks);
      },
    ],
  ];

  test.each(ways)("gives what came in one chunk with the answer, and the end: %s", async (_name, read) => {
    const path = socketPath();
    for (const payload of ["", "x", "first frame", "y".repeat(300_000)]) {
      const server = await rawVmm(path, (vmm) => void vmm.end(`OK 1\n${payload}`));
      for (const turns of [0, 1, 20]) {
        const socket = await dialed(path, { allowHalfOpen: turns === 1 });
        for (let i = 0; i < turns; i++) await nextTurn();
        expect(socket.readableFlowing).toBe(null);
        expect((await read(socket)).toString()).toBe(payload);
        socket.destroy();
      }
      server.close();
    }
  });

  test("is a plain socket: no listener of ours, not flowing, and nothing is read ahead beyond its buffer", async () => {
    const path = socketPath();
    const stalled = Promise.withResolvers<number>();
    const payload = Buffer.alloc(8 << 20, "z");
    await rawVmm(path, (vmm) => {
      vmm.write("OK 1\n");
      vmm.end(payload);
      setTimeout(() => stalled.resolve(vmm.writableLength), 50);
    });
    const stop = new AbortController();
    const socket = await dialed(path, { signal: stop.signal });
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    expect(await stalled.promise).toBeGreaterThan(0);
    const plain = createConnection(path);
    await once(plain, "connect");
    expect(socket.eventNames()).toEqual(plain.eventNames());
    expect(socket.eventNames().map((name) => socket.listenerCount(name))).toEqual(
      plain.eventNames().map((name) => plain.listenerCount(name)),
    );
    plain.destroy();
    expect(socket.bytesRead).toBeLessThan(1 << 20);
    stop.abort();
    expect((await readAll(socket)).equals(payload)).toBe(true);
  });

  test("half-closes as its option says", async () => {
    const path = socketPath();
    await rawVmm(path, (vmm) => {
      vmm.end("OK 1\nbye");
      vmm.on("data", (chunk) => received.resolve(chunk.toString()));
      vmm.on("end", () => received.resolve("nothing"));
    });
    let received = Promise.withResolvers<string>();
    const open = await dialed(path, { allowHalfOpen: true });
    open.resume();
    await once(open, "end");
    open.end("after the end");
    expect(await received.promise).toBe("after the end");
    received = Promise.withResolvers();
    const closing = await dialed(path);
    closing.resume();
    await once(closing, "close");
    expect(await received.promise).toBe("nothing");
  });

  test("any chunking of the answer and a payload gives the same payload", async () => {
    const path = socketPath();
    let parts: readonly Buffer[] = [];
    await rawVmm(path, async (vmm) => {
      for (const part of parts) {
        vmm.write(part);
        await nextTurn();
      }
      vmm.end();
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 2 ** 31 - 1 }),
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }),
        async (port, payload, sizes) => {
          let rest = Buffer.concat([Buffer.from(`OK ${port}\n`), payload]);
          const cut: Buffer[] = [];
          for (const size of sizes) {
            cut.push(rest.subarray(0, size));
            rest = rest.subarray(size);
          }
          parts = [...cut, rest];
          const socket = await dialHybrid({ path, port: 1 });
          expect(await readAll(socket)).toEqual(Buffer.from(payload));
        },
      ),
      { numRuns: 60 },
    );
  });
});
