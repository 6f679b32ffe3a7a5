// What the tests of hybrid vsock share: folders, raw servers, and what is open. No test here.
import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { onTestFinished } from "vitest";

fc.configureGlobal({ seed: Number(process.env["PROPERTY_SEED"] ?? 20_250_101), numRuns: 1000 });

/** A path for a socket in a folder of the running test, which does not end before all sockets opened after this are closed. */
export function socketPath(name = "vm.sock"): string {
  const folder = mkdtempSync(join(tmpdir(), "hyb-"));
  const before = openSockets();
  // What is registered first runs last.
  onTestFinished(async () => {
    await until(() => openSockets() <= before);
    rmSync(folder, { recursive: true, force: true });
  });
  return join(folder, name);
}

/** A server that does what it is told with every connection; gone with the test. */
export async function rawServer(
  path: string,
  onSocket: (socket: Socket) => void,
  options: ServerOpts = {},
): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, ...options }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    onSocket(socket);
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await once(server.close(), "close");
  });
  return server;
}

/** A VMM that reads one command line and hands the connection on with it. */
export function rawVmm(path: string, onCommand: (socket: Socket, command: string) => void): Promise<Server> {
  return rawServer(path, (socket) => {
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (!text.endsWith("\n")) return;
      socket.removeListener("data", onData);
      onCommand(socket, text);
    };
    socket.on("data", onData);
  });
}

/** All that a stream gives until its end, which leaves the other direction open. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Sockets of this process that are open, by /proc. */
export function openSockets(): number {
  let count = 0;
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:")) count++;
    } catch {
      // The descriptor of this very listing.
    }
  }
  return count;
}

/** Resolves when a condition holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}
