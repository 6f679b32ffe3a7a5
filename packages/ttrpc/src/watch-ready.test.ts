// Watching a server that comes and goes.
import type { Duplex } from "node:stream";
import { Code } from "@guestwire/rpc";
import { FakeClock, rawPair, turns } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { TtrpcServer } from "./server.js";
import { type WatchReadyOptions, watchReady } from "./watch-ready.js";

test("tells when it begins and ceases to answer, after two failures", async () => {
  const clock = new FakeClock(0);
  const server = new TtrpcServer({}, clock);
  const stop = new AbortController();
  const states: [at: number, ready: boolean][] = [];
  let up = true;
  let probes = 0;
  const target = (): Duplex => {
    probes++;
    if (!up) throw Object.assign(new Error("connect ENODEV"), { code: "ENODEV" });
    const { peer, stream } = rawPair();
    server.attach(peer.stream);
    return stream;
  };
  const watching = (async () => {
    for await (const state of watchReady(target, { clock, signal: stop.signal })) {
      states.push([clock.now(), state.ready]);
      if (!state.ready) expect(state.error.rawMessage).toContain("connect ENODEV");
    }
  })();
  await clock.elapse(700);
  up = false;
  await clock.elapse(2000);
  up = true;
  await clock.elapse(1000);
  // One failure alone is none.
  up = false;
  await clock.elapse(300);
  up = true;
  await clock.elapse(1000);
  expect(states).toEqual([
    [0, true],
    [1500, false],
    [3000, true],
  ]);
  expect(probes).toBe(11);
  stop.abort();
  await watching;
  expect(clock.pending).toBe(0);
  await server.close();
});

test("ends with the signal while a probe waits, and does not begin after it", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const states = watchReady(() => new Promise<never>(() => {}), { clock, signal: stop.signal });
  const next = states.next();
  await turns();
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(clock.pending).toBe(0);
  const none = watchReady("unix:/nowhere", { signal: stop.signal });
  expect(await none.next()).toEqual({ done: true, value: undefined });
});

test("ends with return() while nothing changes", async () => {
  const clock = new FakeClock();
  const refuse = (): never => {
    throw Object.assign(new Error("connect ENODEV"), { code: "ENODEV" });
  };
  const states = watchReady(refuse, { clock });
  const first = states.next();
  await clock.elapse(500);
  expect((await first).value).toMatchObject({ ready: false });
  const next = states.next();
  await turns();
  expect(await states.return?.()).toEqual({ done: true, value: undefined });
  expect(await next).toEqual({ done: true, value: undefined });
  expect(clock.pending).toBe(0);
});

test.each<[target: string, options: WatchReadyOptions]>([
  ["unix:a", {}],
  ["unix:/a", { everyMs: 0 }],
  ["unix:/a", { failures: 0 }],
  ["unix:/a", { intervalMs: 5 } as never],
  ["unix:/a", { answerTimeoutMs: -1 }],
])("refuses what is wrong: %s %o", async (target, options) => {
  await expect(watchReady(target, options).next()).rejects.toMatchObject({ code: Code.InvalidArgument });
});
