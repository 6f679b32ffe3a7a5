// Sockets over the kernel's loopback: bytes, back-pressure, ends, errors.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { syscalls } from "../../dist/backend.js";
import { anyPort, cids, dial, listen, localCid } from "../../dist/index.js";
import { closing, connected, deadPort, dialLocal, failure, listenLocal, openSockets, read } from "./helpers.mjs";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("which backend this is", (t) => {
  const forced = process.env.GUESTWIRE_VSOCK_BACKEND;
  assert.equal(syscalls().name, forced === "node-ffi" ? "node:ffi" : "koffi");
  t.diagnostic(`Node ${process.version}, ${syscalls().name}`);
});

test("bytes go and come, and both sides know all addresses", async (t) => {
  const { server, socket, peer } = await connected(t);
  assert.equal(server.address(), `vsock://any:${server.port}`);
  assert.deepEqual([socket.remoteCid, socket.remotePort], [cids.local, server.port]);
  assert.deepEqual([peer.localCid, peer.localPort], [cids.local, server.port]);
  assert.deepEqual([peer.remoteCid, peer.remotePort], [socket.localCid, socket.localPort]);
  assert.equal(socket.localCid, cids.local);
  socket.end("there");
  peer.end("back");
  assert.equal(String(await read(peer)), "there");
  assert.equal(String(await read(socket)), "back");
});

test("16 MiB go both ways at once, unchanged", async (t) => {
  const { socket, peer } = await connected(t, { server: { allowHalfOpen: true }, client: { allowHalfOpen: true } });
  const bytes = randomBytes(16 << 20);
  peer.pipe(peer);
  const began = performance.now();
  socket.end(bytes);
  const hash = createHash("sha256");
  for await (const chunk of socket) hash.update(chunk);
  const ms = performance.now() - began;
  assert.equal(hash.digest("hex"), sha256(bytes));
  t.diagnostic(`${Math.round((32 / ms) * 1000)} MiB/s, there and back`);
});

test("a reader that waits holds the writer up; the kernel takes its buffer's size; nothing is lost", async (t) => {
  const { socket, peer } = await connected(t, { server: { pauseOnConnect: true } });
  const chunk = Buffer.alloc(64 << 10, 7);
  // The whole of a chunk is written, or waits: when one is called back, another goes to the kernel.
  let written = 0;
  for (let i = 0; i < 256; i++) socket.write(chunk, () => written++);
  const drained = once(socket, "drain");
  // As many as fit are called back within some turns of the loop; then nothing moves any more.
  for (let still = 0, last = -1; still < 50; still = written === last ? still + 1 : 0) {
    last = written;
    await turn();
  }
  assert.equal(socket.writableNeedDrain, true);
  const taken = written * chunk.length;
  assert.ok(taken <= 512 << 10, `${taken} bytes were taken`);
  let size = 0;
  peer.on("data", (data) => {
    size += data.length;
  });
  peer.resume();
  await drained;
  socket.end();
  await once(peer, "end");
  assert.equal(size, 256 * chunk.length);
  t.diagnostic(`${taken} bytes were taken before the reader began`);
});

test("each side ends by itself, and the other goes on", async (t) => {
  const { socket, peer } = await connected(t, { server: { allowHalfOpen: true }, client: { allowHalfOpen: true } });
  socket.end("question");
  assert.equal(String(await read(peer)), "question");
  peer.write("answer");
  assert.equal(String((await once(socket, "data"))[0]), "answer");
  peer.end();
  assert.deepEqual(await closing(socket), ["end"]);

  const other = await connected(t, { server: { allowHalfOpen: true }, client: { allowHalfOpen: true } });
  other.peer.end("first");
  assert.equal(String(await read(other.socket)), "first");
  other.socket.end("last");
  assert.equal(String(await read(other.peer)), "last");
});

test("without allowHalfOpen the end of one side ends the other", async (t) => {
  const { socket, peer } = await connected(t);
  peer.resume();
  socket.end();
  const [here, there] = await Promise.all([closing(socket.resume()), closing(peer)]);
  assert.deepEqual([here, there], [["end"], ["end"]]);
});

test("a peer that goes away with unread bytes is seen as an end, or as an error of a write", async (t) => {
  const { socket, peer } = await connected(t, { server: { pauseOnConnect: true } });
  socket.resume();
  await new Promise((resolve) => socket.write(Buffer.alloc(100_000), resolve));
  const seen = closing(socket);
  peer.destroy();
  const events = await seen;
  assert.ok(["end", "EPIPE", "ECONNRESET"].includes(events[0]), `saw ${events}`);
  t.diagnostic(`saw ${events}`);
});

test("writing to a peer that is gone is EPIPE", async (t) => {
  const { socket, peer } = await connected(t, { client: { allowHalfOpen: true } });
  const ended = once(socket, "end");
  socket.resume();
  peer.destroy();
  await ended;
  const failed = once(socket, "error");
  const push = () => socket.write("x", (error) => error ?? setImmediate(push));
  push();
  const [error] = await failed;
  assert.ok(["EPIPE", "ECONNRESET"].includes(error.code), error.code);
  assert.equal(error.syscall, "write");
});

test("errors of a connect are Node's, with the address", async () => {
  const nobody = await failure(dialLocal(deadPort));
  assert.equal(nobody.message, `connect ECONNRESET: connection reset by peer vsock://1:${deadPort}`);
  const { code, errno, syscall, address, cid, port } = nobody;
  assert.deepEqual(
    { code, errno, syscall, address, cid, port },
    { code: "ECONNRESET", errno: -104, syscall: "connect", address: `vsock://1:${deadPort}`, cid: 1, port: deadPort },
  );
  const noMachine = await failure(dial({ cid: 99, port: 1024 }));
  assert.equal(noMachine.message, "connect ENODEV: no such device vsock://99:1024");
});

test("a port in use is EADDRINUSE; one that is closed is free again", async (t) => {
  const server = await listenLocal(t);
  const error = await failure(listen({ port: server.port }));
  assert.equal(error.message, `listen EADDRINUSE: address already in use vsock://any:${server.port}`);
  assert.equal(error.syscall, "listen");
  server.close();
  await once(server, "close");
  const again = await listen({ port: server.port });
  assert.equal(again.port, server.port);
  again.close();
});

test("a foreign CID is EADDRNOTAVAIL", async () => {
  assert.equal((await failure(listen({ cid: 77, port: anyPort }))).code, "EADDRNOTAVAIL");
});

test("a low port takes a privilege", async (t) => {
  // Several runs share a VM.
  const low = 1 + (process.pid % 1_000);
  const privileged = await listen({ port: low });
  assert.equal(privileged.port, low);
  privileged.close();
  const program = `import { listen } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    listen({ port: ${low} }).then(() => console.log("listens"), (error) => console.log(error.message));`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { uid: 65_534, gid: 65_534 });
  assert.equal(stdout, `listen EACCES: permission denied vsock://any:${low}\n`);
  t.diagnostic("as user 65534");
});

test("the local CID is known", (t) => {
  const cid = localCid();
  assert.ok(Number.isInteger(cid) && cid > 0);
  t.diagnostic(`local CID ${cid}`);
});

test("a signal that has fired opens nothing", async () => {
  const before = openSockets();
  const reason = new Error("no");
  assert.equal(await failure(dialLocal(deadPort, { signal: AbortSignal.abort(reason) })), reason);
  assert.equal(openSockets(), before);
});

test("64 connections at once do not mix their bytes", async (t) => {
  const server = await listenLocal(t, (peer) => peer.pipe(peer), { allowHalfOpen: true });
  const all = Array.from({ length: 64 }, async () => {
    const bytes = randomBytes(5_000);
    const socket = await dialLocal(server.port, { allowHalfOpen: true });
    socket.end(bytes);
    assert.equal(sha256(await read(socket)), sha256(bytes));
  });
  await Promise.all(all);
});

test("http2 runs over it", async (t) => {
  const h2 = http2.createServer((request, response) => response.end(`you asked for ${request.url}`));
  const server = await listenLocal(t, (peer) => h2.emit("connection", peer));
  const socket = await dialLocal(server.port);
  const client = http2.connect("http://vsock", { createConnection: () => socket });
  const request = client.request({ ":path": "/here" });
  request.end();
  assert.equal(String(await read(request)), "you asked for /here");
  client.close();
  await once(client, "close");
});
