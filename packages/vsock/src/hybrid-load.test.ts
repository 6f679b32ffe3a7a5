// dialHybrid through hybridProxy, under load: much data, many connections, many aborts. Nothing may be lost or left.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect, onTestFinished, test } from "vitest";
import { openSockets, rawServer, readAll, socketPath, until } from "./hybrid.test.support.js";
import { dialHybrid } from "./hybrid-dial.js";
import { unixPorts } from "./hybrid-ports.js";
import { type HybridProxy, hybridProxy } from "./hybrid-proxy.js";

// A loaded machine stalls for seconds.
const timeoutMs = 30_000;

async function started(onSocket: (socket: Socket) => void): Promise<HybridProxy> {
  const path = socketPath();
  await rawServer(`${path}.guest`, onSocket);
  const proxy = await hybridProxy(
    { path, connect: unixPorts({ 7000: `${path}.guest` }) },
    { handshakeTimeoutMs: timeoutMs },
  );
  onTestFinished(() => proxy.close());
  return proxy;
}

test("64 MiB go both ways and come back whole", async () => {
  const { path } = await started((guest) => void guest.pipe(guest));
  const host = await dialHybrid({ path, port: 7000 }, { timeoutMs });
  const block = randomBytes(1 << 20);
  const sent = createHash("sha256");
  const received = createHash("sha256");
  let size = 0;
  const source = Readable.from(
    (function* () {
      for (let i = 0; i < 64; i++) {
        block.writeUInt32BE(i);
        sent.update(block);
        yield Buffer.from(block);
      }
    })(),
  );
  await pipeline(source, host, async (echo: AsyncIterable<Buffer>) => {
    for await (const chunk of echo) {
      size += chunk.length;
      received.update(chunk);
    }
  });
  expect(size).toBe(64 << 20);
  expect(received.digest("hex")).toBe(sent.digest("hex"));
});

test("1,000 connections, 50 at a time, leave no descriptor", async () => {
  const proxy = await started((guest) => void guest.pipe(guest));
  const before = openSockets();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < 1_000) {
      const name = `connection ${next++}`;
      const host = await dialHybrid({ path: proxy.path, port: 7000 }, { timeoutMs });
      host.end(name);
      expect((await readAll(host)).toString()).toBe(name);
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
  await until(() => proxy.connections === 0 && openSockets() <= before);
});

test("aborts at any moment leave nothing, and the proxy goes on", async () => {
  const proxy = await started((guest) => void guest.pipe(guest));
  const before = openSockets();
  let aborted = 0;
  for (let round = 0; round < 40; round++) {
    const stop = new AbortController();
    const all = Array.from({ length: 10 }, () =>
      dialHybrid({ path: proxy.path, port: 7000 }, { signal: stop.signal, timeoutMs }),
    );
    // More turns of the loop in every round: all moments from before the connect to after the answer.
    for (let turn = 0; turn < round % 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    for (const one of await Promise.allSettled(all)) {
      if (one.status === "fulfilled") one.value.destroy();
      else if (one.reason === stop.signal.reason) aborted++;
      else throw one.reason;
    }
  }
  expect(aborted).toBeGreaterThan(0);
  await until(() => proxy.connections === 0 && openSockets() <= before);
  const host = await dialHybrid({ path: proxy.path, port: 7000 }, { timeoutMs });
  host.write("well");
  expect(String((await once(host, "data"))[0])).toBe("well");
  host.destroy();
});
