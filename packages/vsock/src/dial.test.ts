import { getEventListeners, once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DialOptions, dialWith } from "./dial.js";
import type { Syscalls } from "./syscalls.js";
import { backends, nobody, openSockets, redirect, stuckListener } from "./tcp-redirect.test.support.js";
import type { VsockSocket } from "./vsock-socket.js";

const local = 1;

describe.each(backends)("dial with %s", (_name, calls) => {
  const options: Uint8Array[] = [];
  const redirected = redirect(calls, options);
  let before = 0;
  beforeEach(() => {
    before = openSockets();
    options.length = 0;
  });
  afterEach(() => expect(openSockets()).toBe(before));

  const dial = (port: number, more: DialOptions = {}, using: Syscalls = redirected): Promise<VsockSocket> =>
    dialWith(() => using, { cid: local, port }, more);

  test("gives a connected socket with both addresses", async () => {
    const { server, port, close } = await listening();
    const accepted = once(server, "connection");
    const socket = await dial(port);
    const [peer] = await accepted;
    expect([socket.remoteCid, socket.remotePort, socket.localCid]).toEqual([local, port, local]);
    expect(socket.localPort).toBe(peer.remotePort);
    expect([socket.connecting, socket.pending, socket.readyState]).toEqual([false, false, "open"]);
    socket.end("over");
    expect(String(await read(peer))).toBe("over");
    peer.end();
    await Promise.all([socket.closed || once(socket, "close"), peer.closed || once(peer, "close")]);
    await close();
  });

  test("the event loop turns at least once, even when the peer is there at once", async () => {
    const { port, close } = await listening();
    for (let i = 0; i < 3; i++) {
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      (await dial(port)).destroy();
      expect(turned).toBe(true);
    }
    await close();
  });

  test("a peer that ends is seen without a reader asking for it", async () => {
    const { server, port, close } = await listening();
    server.on("connection", (peer) => peer.end());
    const socket = await dial(port);
    socket.resume();
    await once(socket, "close");
    await close();
  });

  test("a port where nobody listens is the kernel's error, with the address", async () => {
    const { port, close } = await listening();
    await close();
    await expect(dial(port)).rejects.toMatchObject({
      code: "ECONNREFUSED",
      syscall: "connect",
      address: `vsock://1:${port}`,
      message: `connect ECONNREFUSED: connection refused vsock://1:${port}`,
    });
  });

  test("an error that comes at once is given at once", async () => {
    const attempt = dialWith(() => redirected, { cid: nobody, port: 5 }, {});
    await expect(attempt).rejects.toMatchObject({ code: "ENODEV", address: "vsock://99:5", cid: 99, port: 5 });
  });

  test("the time limit ends a pending connect, and the kernel is told of it", async () => {
    const stuck = stuckListener(calls);
    await expect(dial(stuck.port, { timeoutMs: 30.0005 })).rejects.toMatchObject({
      code: "ETIMEDOUT",
      syscall: "connect",
      message: `connect ETIMEDOUT: connection timed out vsock://1:${stuck.port}`,
    });
    stuck.close();
    const [option] = options;
    expect([...new BigUint64Array(option?.slice().buffer as ArrayBuffer)]).toEqual([0n, 30_001n]);
  });

  test("whole seconds of the time limit are seconds of the option", async () => {
    const { port, close } = await listening();
    (await dial(port, { timeoutMs: 61_500 })).destroy();
    await close();
    expect([...new BigUint64Array(options[0]?.slice().buffer as ArrayBuffer)]).toEqual([61n, 500_000n]);
  });

  test("a signal ends a pending connect with its reason, and is let go of", async () => {
    const stuck = stuckListener(calls);
    const controller = new AbortController();
    const reason = new Error("enough");
    const attempt = dial(stuck.port, { signal: controller.signal, timeoutMs: 60_000 });
    setTimeout(() => controller.abort(reason), 5);
    await expect(attempt).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    stuck.close();
  });

  test("a signal that fires while the answer is being read wins", async () => {
    const { port, close } = await listening();
    const controller = new AbortController();
    const aborting = {
      ...redirected,
      poll: (pollfd: Uint8Array, timeoutMs: number) => {
        const result = calls.poll(pollfd, timeoutMs);
        if (result > 0) queueMicrotask(() => controller.abort());
        return result;
      },
    };
    await expect(dial(port, { signal: controller.signal }, aborting)).rejects.toMatchObject({ name: "AbortError" });
    await close();
  });

  test("after the connect neither the signal nor the time limit touches the socket", async () => {
    const { server, port, close } = await listening();
    server.on("connection", (peer) => peer.pipe(peer));
    const controller = new AbortController();
    const socket = await dial(port, { signal: controller.signal, timeoutMs: 1_000 });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    controller.abort();
    socket.end("still here");
    expect(String(await read(socket))).toBe("still here");
    await close();
  });

  test("a kernel without vsock is a clear error with the kernel's as its cause", async () => {
    const without = { ...redirected, socket: () => -97 };
    const error: Error = await dial(1, {}, without).catch((reason: Error) => reason as never);
    expect(error).toMatchObject({ code: "ERR_VSOCK_UNAVAILABLE", cause: { code: "EAFNOSUPPORT" } });
    expect(error.message).toContain("modprobe vsock");
  });

  test.each<[string, Partial<Syscalls>]>([
    ["socket", { socket: () => -24 }],
    [
      "socket",
      { socket: (family, type, protocol) => (family === 1 ? -24 : redirected.socket(family, type, protocol)) },
    ],
    ["dup3", { dup3: () => -24 }],
    ["setsockopt", { setsockopt: () => -24 }],
    ["poll", { poll: () => -24 }],
    ["getsockopt", { getsockopt: () => -24 }],
    ["getsockname", { getsockname: () => -24 }],
    ["getpeername", { getpeername: () => -24 }],
  ])("a failing %s (%#) leaves nothing open", async (syscall, broken) => {
    const { port, close } = await listening();
    const attempt = dial(port, { timeoutMs: 1_000 }, { ...redirected, ...broken });
    await expect(attempt).rejects.toMatchObject({ code: "EMFILE", syscall });
    await close();
  });

  test("a descriptor that Node refuses is closed", async () => {
    // Neither a pipe nor a stream socket: what net.Socket calls an unsupported type.
    const netlink = (family: number): number =>
      family === 1 ? calls.socket(16, 3, 0) : redirected.socket(family, 1, 0);
    const attempt = dial(1, {}, { ...redirected, socket: netlink });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_INVALID_FD_TYPE" });
  });
});

/** A server of Node's own that counts its connections out. */
async function listening(): Promise<{ server: Server; port: number; close(): Promise<void> }> {
  const server = createServer({ allowHalfOpen: true });
  const peers = new Set<Promise<unknown>>();
  server.on("connection", (peer) => {
    peer.on("error", () => {});
    peers.add(new Promise((resolve) => peer.once("close", resolve)));
    if (server.listenerCount("connection") === 1) peer.resume().on("end", () => peer.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    server,
    port,
    async close() {
      server.close();
      await once(server, "close");
      await Promise.all(peers);
    },
  };
}

async function read(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
