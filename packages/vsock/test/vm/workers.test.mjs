// Worker threads: they dial and listen as the main thread does, and when they are terminated nothing of theirs stays.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ghost } from "./ghost.mjs";
import { closing, dialLocal, listenLocal, openSockets } from "./helpers.mjs";

const program = new URL("./worker.mjs", import.meta.url);

test("a worker dials the main thread, and its end closes its sockets", async (t) => {
  const server = await listenLocal(t, (peer) => peer.on("error", () => {}).pipe(peer));
  const before = openSockets();
  const accepted = once(server, "connection");
  const worker = new Worker(program, { workerData: { dial: server.port } });
  const [peer] = await accepted;
  const over = closing(peer);
  assert.equal((await once(worker, "message"))[0], "hello");
  await worker.terminate();
  await over;
  assert.equal(openSockets(), before);
});

test("a worker listens for the main thread, and its end closes its server", async () => {
  const before = openSockets();
  const worker = new Worker(program, { workerData: { listen: true } });
  const [port] = await once(worker, "message");
  const socket = await dialLocal(port);
  socket.write("hello");
  assert.equal(String((await once(socket, "data"))[0]), "hello");
  const over = closing(socket);
  await worker.terminate();
  await over;
  assert.equal(openSockets(), before);
});

test("a worker with pending connects is terminated at once, and leaves nothing", async (t) => {
  const silent = ghost(t);
  const before = openSockets();
  const worker = new Worker(program, { workerData: { pending: silent.cid } });
  const [opened] = await once(worker, "message");
  assert.equal(opened, 20);
  assert.equal(openSockets(), before + 20);
  const began = performance.now();
  await worker.terminate();
  assert.equal(openSockets(), before);
  t.diagnostic(`terminated within ${Math.round(performance.now() - began)} ms`);
});
