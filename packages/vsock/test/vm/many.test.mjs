// Ten thousand connections, and failures of every kind: what is opened is closed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { dial } from "../../dist/index.js";
import { deadPort, dialLocal, failure, listenLocal, openSockets } from "./helpers.mjs";

// All ten thousand in one run of the harness: they take longer than the rest of the matrix.
const count = Number(process.env.GUESTWIRE_VM_CONNECTIONS ?? 500);

test(`${count} connections, ended by either side, leave nothing open`, async (t) => {
  let open = 0;
  let idle = Promise.withResolvers();
  const server = await listenLocal(t, (peer) => {
    open += 1;
    peer.once("close", () => {
      open -= 1;
      if (open === 0) idle.resolve();
    });
    peer.on("error", () => {});
    if (open % 2 === 0) peer.end("bye");
    else peer.resume();
  });
  const one = async (i) => {
    const socket = await dialLocal(server.port);
    socket.on("error", () => {});
    if (i % 2 === 0) socket.destroy();
    else socket.resume().end();
    if (!socket.closed) await once(socket, "close");
  };
  await one(0);
  const before = openSockets() - open;
  const began = performance.now();
  for (let i = 0; i < count; i++) await one(i);
  const ms = performance.now() - began;
  if (open > 0) {
    idle = Promise.withResolvers();
    await idle.promise;
  }
  assert.equal(openSockets(), before);
  t.diagnostic(`${(ms / count).toFixed(2)} ms for each; ${before} sockets before, ${openSockets()} after`);
});

test("connecting without a pause does not keep a server of the same process from accepting", async (t) => {
  const turns = 100;
  let closed = 0;
  const all = Promise.withResolvers();
  const server = await listenLocal(
    t,
    (peer) => {
      peer.on("error", () => {}).resume();
      peer.once("close", () => {
        closed += 1;
        if (closed === turns) all.resolve();
      });
    },
    { backlog: 16 },
  );
  const began = performance.now();
  for (let i = 0; i < turns; i++) (await dialLocal(server.port)).destroy();
  t.diagnostic(`${((performance.now() - began) / turns).toFixed(2)} ms for each connect and destroy`);
  await all.promise;
});

test("1,000 failures leave nothing open", async (t) => {
  const server = await listenLocal(t);
  const before = openSockets();
  for (let i = 0; i < 250; i++) {
    assert.equal((await failure(dialLocal(deadPort))).code, "ECONNRESET");
    assert.equal((await failure(dial({ cid: 99, port: 1 }))).code, "ENODEV");
    const controller = new AbortController();
    const attempt = failure(dialLocal(deadPort, { signal: controller.signal }));
    controller.abort();
    assert.equal((await attempt).name, "AbortError");
    assert.equal((await failure(dial({ cid: 1, port: server.port }, { timeoutMs: -1 }))).code, "ERR_OUT_OF_RANGE");
  }
  assert.equal(openSockets(), before);
});
