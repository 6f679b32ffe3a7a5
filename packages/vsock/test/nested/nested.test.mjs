// A host and its guest over the kernel's vhost_vsock: `npx -y pnpm@12 test:vm:nested`. One guest for all tests, in their order;
// the last one kills it.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { anyPort, dial, listen, localCid } from "../../dist/index.js";
import { closing, deadPort, failure, openSockets, read } from "../vm/helpers.mjs";
import { bootGuest, guestCid, hostCid, ports } from "./guest.mjs";

// Before there is QEMU, whose output comes through two.
const socketsAtStart = openSockets();
let guest;

before(async () => {
  guest = await bootGuest();
  console.log(`the guest listened ${(guest.bootMs / 1000).toFixed(1)} s after it was started`);
});

after(() => guest?.kill());

const dialGuest = (port, options) => dial({ cid: guestCid, port }, options);

const digest = (data) => createHash("sha256").update(data).digest("hex");

/** Sends bytes to the guest, ends our half, and reads what comes back to its end. */
async function exchange(port, data) {
  const socket = await dialGuest(port);
  const answer = read(socket);
  socket.end(data);
  return answer;
}

async function echoes(bytes) {
  const data = randomBytes(bytes);
  const answer = await exchange(ports.echo, data);
  assert.equal(answer.length, bytes);
  assert.equal(digest(answer), digest(data));
}

test("1 MiB to the guest and back is unchanged, and ends where it ended", async (t) => {
  const began = performance.now();
  await echoes(1 << 20);
  t.diagnostic(`${(2_000 / (performance.now() - began)).toFixed(1)} MiB/s, both directions added`);
});

test("a connection knows both ends by their CIDs", async (t) => {
  const socket = await dialGuest(ports.echo);
  t.after(() => socket.destroy());
  assert.deepEqual([socket.remoteCid, socket.remotePort], [guestCid, ports.echo]);
  assert.equal(socket.localCid, localCid());
  assert.ok(socket.localPort > 0, `port ${socket.localPort}`);
});

test("the guest dials the host, and is known by its CID", async (t) => {
  const accepted = Promise.withResolvers();
  const server = await listen({ port: anyPort }, { allowHalfOpen: true }, (socket) => accepted.resolve(socket));
  t.after(() => server.close());
  const told = exchange(ports.dial, `${server.port}\n`);
  const socket = await accepted.promise;
  assert.deepEqual([socket.remoteCid, socket.localPort], [guestCid, server.port]);
  assert.equal(String(await read(socket)), "a word from the guest");
  socket.end("a word from the host");
  assert.equal(String(await told), "answered: a word from the host");
});

test("a server on the host's own CID alone is reached by the guest", async (t) => {
  const server = await listen({ cid: hostCid, port: anyPort }, {}, (socket) => socket.resume().end("bound"));
  t.after(() => server.close());
  assert.equal(String(await exchange(ports.dial, `${server.port}\n`)), "answered: bound");
});

test("nobody listens: ECONNRESET, on either side", async () => {
  const before = openSockets();
  const error = await failure(dialGuest(deadPort));
  assert.equal(error.code, "ECONNRESET");
  assert.match(error.message, new RegExp(`vsock://${guestCid}:${deadPort}`));
  assert.equal(openSockets(), before);
  assert.equal(String(await exchange(ports.dial, `${deadPort}\n`)), "ECONNRESET");
});

test("a CID that no guest has: ENODEV", async () => {
  const before = openSockets();
  const error = await failure(dial({ cid: 77, port: ports.echo }));
  assert.deepEqual([error.code, error.syscall], ["ENODEV", "connect"]);
  assert.equal(openSockets(), before);
});

test("a guest that does not read holds its own connection up, and no other", async () => {
  const data = randomBytes(4 << 20);
  const socket = await dialGuest(ports.held);
  const answer = read(socket);
  let sent = false;
  socket.end(data, () => {
    sent = true;
  });
  await echoes(1 << 20);
  assert.equal(sent, false);
  assert.ok(socket.writableLength > 0, `${socket.writableLength} bytes are left`);
  assert.equal(String(await exchange(ports.release, "")), "released");
  assert.equal(String(await answer), digest(data));
  assert.equal(sent, true);
});

test("100 connections at once each get their own bytes", async () => {
  await Promise.all(Array.from({ length: 100 }, () => echoes(1_000)));
});

test("a paused guest: ETIMEDOUT, by the kernel's limit and by ours; an abort ends a dial at once", async (t) => {
  const open = await dialGuest(ports.echo);
  t.after(() => open.destroy());
  const before = openSockets();
  guest.pause();
  try {
    const began = performance.now();
    const error = await failure(dialGuest(ports.echo));
    const ms = performance.now() - began;
    assert.equal(error.code, "ETIMEDOUT");
    assert.ok(ms >= 1_900, `after ${ms} ms`);
    t.diagnostic(`ETIMEDOUT after ${Math.round(ms)} ms`);
    assert.equal((await failure(dialGuest(ports.echo, { timeoutMs: 300 }))).code, "ETIMEDOUT");

    const controller = new AbortController();
    const pending = failure(dialGuest(ports.echo, { timeoutMs: 600_000, signal: controller.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(openSockets(), before + 1);
    const reason = new Error("not today");
    controller.abort(reason);
    assert.equal(await pending, reason);
    assert.equal(openSockets(), before);
  } finally {
    guest.resume();
  }
  open.write("still here");
  assert.equal(String((await once(open, "data"))[0]), "still here");
  await echoes(1_000);
});

test("a guest that is killed: ECONNRESET on what was open, then ENODEV", async () => {
  const quiet = await dialGuest(ports.echo);
  quiet.write("x");
  await once(quiet, "data");
  const busy = await dialGuest(ports.held);
  busy.write(randomBytes(4 << 20));
  const ends = [closing(quiet.resume()), closing(busy.resume())];
  await guest.kill();
  assert.deepEqual(await Promise.all(ends), [["ECONNRESET"], ["ECONNRESET"]]);
  assert.equal((await failure(dialGuest(ports.echo))).code, "ENODEV");
  assert.equal(openSockets(), socketsAtStart);
});
