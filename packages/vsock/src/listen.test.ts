import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { anyPort, cids } from "./cids.js";
import { type DialOptions, dialWith } from "./dial.js";
import { type ListenAddress, type ListenOptions, listenWith } from "./listen.js";
import type { Syscalls } from "./syscalls.js";
import { backends, openSockets, redirect, stuckListener } from "./tcp-redirect.test.support.js";
import type { VsockServer } from "./vsock-server.js";
import type { VsockSocket } from "./vsock-socket.js";

describe.each(backends)("listen with %s", (_name, calls) => {
  const redirected = redirect(calls);
  let before = 0;
  beforeEach(() => {
    before = openSockets();
  });
  afterEach(() => expect(openSockets()).toBe(before));

  const listen = (
    onConnection?: (socket: VsockSocket) => void,
    options: ListenOptions = {},
    address: ListenAddress = { port: anyPort },
    using: Syscalls = redirected,
  ): Promise<VsockServer> => listenWith(() => using, address, options, onConnection);
  const dial = (server: VsockServer, options: DialOptions = {}): Promise<VsockSocket> =>
    dialWith(() => redirected, { cid: cids.local, port: server.port }, options);

  test("gives a listening server with the address as bound", async () => {
    const server = await listen();
    expect(server.listening).toBe(true);
    expect(server.cid).toBe(cids.any);
    expect(server.port).toBeGreaterThan(0);
    expect(server.address()).toBe(`vsock://any:${server.port}`);
    await closed(server);
    expect(server.address()).toBeNull();
  });

  test("binds to the cid that was asked for", async () => {
    const server = await listen(undefined, {}, { cid: 7, port: anyPort });
    expect(server.address()).toBe(`vsock://7:${server.port}`);
    await closed(server);
  });

  test("accepted sockets carry their addresses before any listener sees them", async () => {
    const seen: unknown[] = [];
    const server = await listen((socket) => seen.push(socket.remoteCid, socket.remotePort));
    server.prependListener("connection", (socket) => seen.push((socket as VsockSocket).localPort));
    const accepted = once(server, "connection");
    const socket = await dial(server);
    const [peer] = await accepted;
    expect(seen).toEqual([server.port, cids.local, socket.localPort]);
    expect([peer.localCid, peer.localPort]).toEqual([cids.local, server.port]);
    await Promise.all([destroyed(socket), destroyed(peer)]);
    await closed(server);
  });

  test("carries 8 MiB both ways unchanged", async () => {
    const bytes = randomBytes(8 << 20);
    const server = await listen((peer) => peer.pipe(peer), { allowHalfOpen: true });
    const socket = await dial(server, { allowHalfOpen: true });
    const hash = createHash("sha256");
    socket.end(bytes);
    for await (const chunk of socket) hash.update(chunk);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
    await closed(server);
  });

  test("a reader that waits holds the writer up, and nothing is lost", async () => {
    const server = await listen(undefined, { pauseOnConnect: true });
    const accepted = once(server, "connection");
    const socket = await dial(server);
    const [peer] = (await accepted) as [VsockSocket];
    const chunk = Buffer.alloc(1 << 20, 1);
    // More than the kernel's buffers of both sides hold.
    for (let i = 0; i < 64; i++) socket.write(chunk);
    const drained = once(socket, "drain");
    await new Promise((resolve) => setImmediate(resolve));
    expect(socket.writableNeedDrain).toBe(true);
    expect(peer.bytesRead).toBe(0);
    let size = 0;
    peer.on("data", (data: Buffer) => {
      size += data.length;
    });
    peer.resume();
    await drained;
    socket.end();
    await once(peer, "close");
    expect(size).toBe(64 << 20);
    await destroyed(socket);
    await closed(server);
  });

  test("each side can end by itself", async () => {
    const server = await listen(
      (peer) => {
        const got: string[] = [];
        peer
          .on("data", (data) => got.push(String(data)))
          .on("end", () => peer.end(`got ${got.join("")}, then the end`));
      },
      { allowHalfOpen: true },
    );
    const socket = await dial(server, { allowHalfOpen: true });
    socket.end("question");
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    expect(answer).toBe("got question, then the end");
    await closed(server);
  });

  test("a reset reaches the other side as an error with Node's code", async () => {
    const server = await listen();
    const accepted = once(server, "connection");
    const socket = await dial(server);
    const [peer] = (await accepted) as [VsockSocket];
    peer.pause();
    socket.write("never read");
    await new Promise((resolve) => socket.write("x", resolve));
    const failed = once(socket, "error");
    socket.resume();
    await destroyed(peer);
    expect(await failed).toMatchObject([{ code: "ECONNRESET", syscall: "read" }]);
    await closed(server);
  });

  test("500 connections, ended by either side, leave nothing open", async () => {
    let turn = 0;
    const server = await listen((peer) => (turn++ % 2 === 0 ? peer.resume() : peer.end()));
    for (let i = 0; i < 500; i++) {
      const socket = await dial(server);
      if (i % 2 === 0) socket.destroy();
      else socket.resume();
      if (!socket.closed) await once(socket, "close");
    }
    await closed(server);
  });

  test("a connection whose address cannot be read is dropped, and the server goes on", async () => {
    let broken = true;
    const failing: Syscalls = {
      ...redirected,
      getpeername: (fd, address, length) => (broken ? -107 : redirected.getpeername(fd, address, length)),
    };
    let count = 0;
    const server = await listen(
      (peer) => {
        count += 1;
        peer.end();
      },
      {},
      { port: anyPort },
      failing,
    );
    const lost = await dial(server);
    lost.resume();
    await once(lost, "close");
    expect(count).toBe(0);
    broken = false;
    const kept = await dial(server);
    kept.resume();
    await once(kept, "close");
    expect(count).toBe(1);
    await closed(server);
  });

  test("a socket without a descriptor is refused loudly: Node would have changed", async () => {
    const server = await listen();
    expect(() => server.emit("connection", new Socket())).toThrow("does not show a socket's descriptor");
    await closed(server);
  });

  test("a port in use is EADDRINUSE with the address", async () => {
    const server = await listen();
    await expect(listen(undefined, {}, { port: server.port })).rejects.toMatchObject({
      code: "EADDRINUSE",
      syscall: "listen",
      message: `listen EADDRINUSE: address already in use vsock://any:${server.port}`,
    });
    await closed(server);
  });

  test("a kernel without vsock is a clear error", async () => {
    const attempt = listen(undefined, {}, { port: 1 }, { ...redirected, socket: () => -97 });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_VSOCK_UNAVAILABLE" });
  });

  test.each<[string, Partial<Syscalls>]>([
    [
      "socket",
      { socket: (family, type, protocol) => (family === 1 ? -24 : redirected.socket(family, type, protocol)) },
    ],
    ["bind", { bind: (fd, address) => (address.length === 2 ? -24 : redirected.bind(fd, address)) }],
    ["listen", { bind: () => -24 }],
    ["listen", { listen: () => -24 }],
    ["getsockname", { getsockname: () => -24 }],
    ["dup3", { dup3: () => -24 }],
  ])("a failing %s (%#) leaves nothing open", async (syscall, broken) => {
    const attempt = listen(undefined, {}, { port: anyPort }, { ...redirected, ...broken });
    await expect(attempt).rejects.toMatchObject({ code: "EMFILE", syscall });
  });
});

test("in a worker of node:cluster listening is refused with a reason", async () => {
  const child = fork(new URL("../test/support/cluster-listen.mjs", import.meta.url));
  const [message] = await once(child, "message");
  expect(message).toMatch(/^vsock servers cannot listen in a worker of node:cluster/);
  await once(child, "exit");
});

test.each(backends)(
  "a worker thread with connections, a server and pending dials can be terminated, with %s",
  async (name, calls) => {
    const stuck = stuckListener(calls);
    const before = openSockets();
    const workerData = { name, stuckPort: stuck.port };
    const worker = new Worker(new URL("../test/support/busy-worker.mjs", import.meta.url), { workerData });
    const [opened] = await once(worker, "message");
    // Three ends of connections, a listener, and five dials that nobody answers.
    expect(opened).toBe(9);
    expect(openSockets()).toBeGreaterThanOrEqual(before + opened);
    await worker.terminate();
    expect(openSockets()).toBe(before);
    stuck.close();
  },
);

async function closed(server: VsockServer): Promise<void> {
  server.close();
  await once(server, "close");
}

async function destroyed(socket: Socket): Promise<void> {
  socket.destroy();
  if (!socket.closed) await once(socket, "close");
}
