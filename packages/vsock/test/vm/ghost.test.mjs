// Machines that do not answer, and machines that are gone.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { dial } from "../../dist/index.js";
import { ghost } from "./ghost.mjs";
import { failure, openSockets } from "./helpers.mjs";

async function timed(promise) {
  const began = performance.now();
  const error = await failure(promise);
  return { error, ms: performance.now() - began };
}

test("a machine that does not answer is ETIMEDOUT, by the kernel's limit", async (t) => {
  const { cid } = ghost(t);
  const before = openSockets();
  const { error, ms } = await timed(dial({ cid, port: 1024 }));
  assert.equal(error.message, `connect ETIMEDOUT: connection timed out vsock://${cid}:1024`);
  assert.ok(ms >= 1_900, `after ${ms} ms`);
  assert.equal(openSockets(), before);
  t.diagnostic(`after ${Math.round(ms)} ms`);
});

test("timeoutMs shortens the wait", async (t) => {
  const { cid } = ghost(t);
  const before = openSockets();
  const { error, ms } = await timed(dial({ cid, port: 1024 }, { timeoutMs: 200 }));
  assert.deepEqual([error.code, error.syscall, error.cid], ["ETIMEDOUT", "connect", cid]);
  assert.ok(ms >= 190 && ms < 1_900, `after ${ms} ms`);
  assert.equal(openSockets(), before);
  t.diagnostic(`after ${Math.round(ms)} ms for 200`);
});

test("timeoutMs lengthens the wait beyond the kernel's default", async (t) => {
  const { cid } = ghost(t);
  const { error, ms } = await timed(dial({ cid, port: 1024 }, { timeoutMs: 2_500 }));
  assert.equal(error.code, "ETIMEDOUT");
  assert.ok(ms >= 2_490, `after ${ms} ms`);
  t.diagnostic(`after ${Math.round(ms)} ms for 2500`);
});

test("a pending connect does not hold the event loop up", async (t) => {
  const { cid } = ghost(t);
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  assert.equal((await failure(dial({ cid, port: 1024 }, { timeoutMs: 1_000 }))).code, "ETIMEDOUT");
  clearInterval(ticking);
  assert.ok(turns > 20, `${turns} turns`);
  t.diagnostic(`${turns} ticks of 1 ms within one second`);
});

test("an abort ends a pending connect at once, with its reason", async (t) => {
  const { cid } = ghost(t);
  const before = openSockets();
  const controller = new AbortController();
  const attempts = Array.from({ length: 10 }, () => failure(dial({ cid, port: 1024 }, { signal: controller.signal })));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(openSockets(), before + 10);
  const reason = new Error("not today");
  const began = performance.now();
  controller.abort(reason);
  for (const error of await Promise.all(attempts)) assert.equal(error, reason);
  assert.ok(performance.now() - began < 1_000);
  assert.equal(openSockets(), before);
  assert.deepEqual(getEventListeners(controller.signal, "abort"), []);
});

test("AbortSignal.timeout() works as well", async (t) => {
  const { cid } = ghost(t);
  const { error, ms } = await timed(dial({ cid, port: 1024 }, { signal: AbortSignal.timeout(50) }));
  assert.equal(error.name, "TimeoutError");
  assert.ok(ms < 1_900, `after ${ms} ms`);
});

test("a machine that is gone is ENODEV", async (t) => {
  const { cid, vanish } = ghost(t);
  const pending = failure(dial({ cid, port: 1024 }, { timeoutMs: 300 }));
  vanish();
  assert.equal((await failure(dial({ cid, port: 1024 }))).code, "ENODEV");
  const { code } = await pending;
  assert.ok(["ECONNRESET", "ENODEV", "ETIMEDOUT"].includes(code), code);
  t.diagnostic(`a connect that was pending then: ${code}`);
});
