// Dialing until somebody answers: the exact times of every policy on a clock of the test's own.
import { getEventListeners } from "node:events";
import { type Duplex, PassThrough } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import {
  arcboxDial,
  arcboxRuntimeDial,
  type DialAttempt,
  type DialPolicy,
  type DialWithRetryOptions,
  defaultDial,
  dialWithRetry,
  isTransientDialError,
  kataDial,
  kataRustDial,
  spinboxDial,
  spinboxEventsDial,
  spinboxStreamDial,
  spinboxTaskDial,
} from "@guestwire/rpc/transport";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, turns } from "./fake-clock.js";
import { watchHandles } from "./handles.js";

let clock: FakeClock;
let allClosed: () => Promise<void>;

beforeEach(() => {
  clock = new FakeClock(0);
  allClosed = watchHandles();
});

afterEach(async () => {
  await allClosed();
  expect(clock.pending).toBe(0);
});

const refused = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

function failure(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(() => new RpcError(Code.Unknown, "it did not fail"), RpcError.from);
}

/** Steps of the same length, from one time to another. */
function every(ms: number, from: number, to: number): number[] {
  return Array.from({ length: Math.floor((to - from) / ms) + 1 }, (_, i) => from + i * ms);
}

describe("a policy", () => {
  async function starts(policy: DialPolicy, options: DialWithRetryOptions, dial: () => Promise<Duplex>) {
    const times: number[] = [];
    const attempt = () => {
      times.push(clock.now());
      return dial();
    };
    const error = failure(dialWithRetry(attempt, { policy, clock, random: () => 0, ...options }));
    await clock.elapse(policy.timeoutMs);
    expect(await error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    return times;
  }

  test.each<[name: string, policy: DialPolicy, times: number[]]>([
    ["spinboxDial", spinboxDial, [0, 20, 60, 140, 300, 620, 1120, 1620, 1980]],
    ["spinboxTaskDial", spinboxTaskDial, [0, 20, 60, 140, 300, 620, 980]],
    ["spinboxStreamDial", spinboxStreamDial, [0, 5, 15, 35, 75, ...every(100, 155, 955), 995]],
    ["spinboxEventsDial", spinboxEventsDial, [0, 50, 150, 350, 750, 1250, 1750, 1950]],
    ["kataDial", kataDial, [0, 25, 75, 175, 375, 775, 1575, 3175, 6375, 12_775, 22_775, 29_975]],
    ["kataRustDial", kataRustDial, every(30, 0, 2970)],
    ["arcboxDial", arcboxDial, every(100, 0, 29_900)],
    ["arcboxRuntimeDial", arcboxRuntimeDial, [0, 120, 300, 570, 975, 1582.5, ...every(1200, 2493.75, 59_400), 59_880]],
    ["defaultDial", defaultDial, [0, 25, 75, 175, 375, 775, ...every(1000, 1575, 9575), 9975]],
  ])("%s begins its attempts when it should, the last one just before the end", async (_, policy, times) => {
    expect(await starts(policy, {}, () => Promise.reject(refused()))).toEqual(times);
  });

  test("with windows comes again at once after an attempt that used all of its window", async () => {
    const times = await starts(kataDial, {}, () => new Promise(() => {}));
    expect(times).toEqual([0, 25, 75, 175, 375, 775, 1575, 3175, 6375, 12_775, 22_775]);
  });

  test("with pauses counts them from the end of the attempt, and gives the next one more time after a slow one", async () => {
    const policy: DialPolicy = {
      timeoutMs: 1000,
      attempt: { initialMs: 100, maxMs: 300 },
      pause: { initialMs: 10, maxMs: 20 },
    };
    expect(await starts(policy, {}, () => new Promise(() => {}))).toEqual([0, 110, 330, 650, 970]);
  });

  test("with jitter leaves a random part of it out of the pauses", async () => {
    const times = await starts(spinboxEventsDial, { random: () => 1 }, () => Promise.reject(refused()));
    expect(times).toEqual([0, 40, 120, 280, 600, 1000, 1400, 1800, 1950]);
  });

  test("without an end goes on, and so does timeoutMs 0", async () => {
    let attempts = 0;
    const stop = new AbortController();
    const error = failure(
      dialWithRetry(() => Promise.reject(refused()), {
        policy: arcboxDial,
        timeoutMs: 0,
        clock,
        signal: stop.signal,
        onAttempt: () => void attempts++,
      }),
    );
    await clock.elapse(99_950);
    expect(attempts).toBe(1000);
    stop.abort();
    expect((await error).code).toBe(Code.Canceled);
  });

  test.each<[part: string, policy: unknown]>([
    ["policy", 5],
    ["policy.timeoutMs", { ...spinboxDial, timeoutMs: -1 }],
    ["policy.timeoutMs", { ...spinboxDial, timeoutMs: Number.NaN }],
    ["policy.attempt", { ...spinboxDial, attempt: 5 }],
    ["policy.attempt.initialMs", { ...spinboxDial, attempt: { initialMs: 0, maxMs: 5 } }],
    ["policy.pause", { ...spinboxDial, pause: "never" }],
    ["policy.pause.initialMs", { ...spinboxDial, pause: { initialMs: 0, maxMs: 5 } }],
    ["policy.pause.maxMs", { ...spinboxDial, pause: { initialMs: 5, maxMs: 4 } }],
    ["policy.pause.factor", { ...spinboxDial, pause: { initialMs: 5, maxMs: 5, factor: 0.5 } }],
    ["policy.jitter", { ...spinboxDial, jitter: 2 }],
  ])("that is wrong is refused before anything is dialed: %s", async (part, policy) => {
    const dial = () => expect.fail("dialed");
    const error = await failure(dialWithRetry(dial, { policy: policy as DialPolicy }));
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    expect(error.rawMessage).toMatch(new RegExp(`^${part.replaceAll(".", "\\.")} must be `));
  });
});

describe("dialing", () => {
  test("gives the stream of the first attempt that succeeds, and tells of those that did not", async () => {
    const stop = new AbortController();
    const told: DialAttempt[] = [];
    const stream = new PassThrough();
    const errors = [refused(), new RpcError(Code.Unavailable, "not yet")];
    const dial = async () => {
      const error = errors[told.length];
      if (error !== undefined) throw error;
      return stream;
    };
    const options = { policy: spinboxDial, clock, signal: stop.signal, onAttempt: (a: DialAttempt) => told.push(a) };
    const dialed = dialWithRetry(dial, options);
    await clock.elapse(60);
    expect(await dialed).toBe(stream);
    expect(told).toEqual([
      { attempt: 1, error: errors[0], elapsedMs: 0, nextMs: 20 },
      { attempt: 2, error: errors[1], elapsedMs: 20, nextMs: 40 },
    ]);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    stop.abort();
    expect(stream.destroyed).toBe(false);
  });

  test("says in the end how often it tried, for how long, and why the last attempt failed", async () => {
    const error = failure(dialWithRetry(() => Promise.reject(refused()), { timeoutMs: 1000, clock, random: () => 0 }));
    await clock.elapse(1000);
    expect(await error).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: "cannot connect to duplex:: connect ECONNREFUSED (7 attempts in 975 ms)",
      cause: { code: "ECONNREFUSED" },
    });
    // So that whoever retries around it knows that it may.
    expect(isTransientDialError(await error)).toBe(true);
  });

  test("ends at once with a failure that does not pass", async () => {
    const reply = Object.assign(new Error("the answer is none"), { code: "ERR_VSOCK_HYBRID_REPLY" });
    const denied = Object.assign(new Error("connect EACCES"), { code: "EACCES" });
    const unknown = new Error("no idea");
    for (const [cause, code] of [
      [reply, Code.Unavailable],
      [denied, Code.PermissionDenied],
      [unknown, Code.Unavailable],
      [new RpcError(Code.Unimplemented, "not here"), Code.Unimplemented],
    ] as const) {
      const error = await failure(dialWithRetry(() => Promise.reject(cause), { clock }));
      expect(error).toMatchObject({ code, reason: "connect_failed", cause });
      expect(error.rawMessage).toMatch(/ \(1 attempt in 0 ms\)$/);
      expect(isTransientDialError(error)).toBe(cause === unknown);
    }
  });

  test("asks whoever knows better which failures pass", async () => {
    let attempts = 0;
    const dial = async () => {
      if (++attempts < 3) throw new Error("no idea");
      return new PassThrough();
    };
    const dialed = dialWithRetry(dial, { clock, isTransient: () => true });
    await clock.elapse(1000);
    await dialed;
    const error = await failure(dialWithRetry(() => Promise.reject(refused()), { clock, isTransient: () => false }));
    expect(error).toMatchObject({ code: Code.Unavailable, cause: { code: "ECONNREFUSED" } });
  });

  test("gives an attempt up that takes too long; a stream that comes afterwards is destroyed", async () => {
    const late = Promise.withResolvers<Duplex>();
    const streams = [new PassThrough(), new PassThrough()] as const;
    const signals: AbortSignal[] = [];
    const dial = (signal: AbortSignal) => {
      signals.push(signal);
      return signals.length === 1 ? late.promise : streams[1];
    };
    const told: unknown[] = [];
    const policy = { ...spinboxDial, attempt: { initialMs: 500, maxMs: 500 } };
    const dialed = dialWithRetry(dial, { policy, clock, onAttempt: ({ error }) => told.push(error) });
    await clock.elapse(519);
    expect(told).toMatchObject([{ message: "no connection within 500 ms", code: "ETIMEDOUT" }]);
    expect(signals[0]?.aborted).toBe(true);
    await clock.elapse(1);
    expect(await dialed).toBe(streams[1]);
    expect(signals[1]?.aborted).toBe(false);
    late.resolve(streams[0]);
    await turns();
    expect([streams[0].destroyed, streams[1].destroyed]).toEqual([true, false]);
  });

  test("ends on time while the first attempt hangs", async () => {
    const error = failure(dialWithRetry(() => new Promise<never>(() => {}), { policy: spinboxDial, clock }));
    await clock.elapse(2000);
    expect(await error).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: "cannot connect to duplex:: no connection within 2000 ms (1 attempt in 2000 ms)",
      cause: { code: "ETIMEDOUT" },
    });
  });

  test.each<[when: string, dial: () => Promise<Duplex>]>([
    ["while an attempt runs", () => new Promise(() => {})],
    ["during a pause", () => Promise.reject(refused())],
  ])("ends at once with the signal %s", async (_, dial) => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const error = failure(dialWithRetry(dial, { policy: spinboxDial, clock, signal: stop.signal }));
    await clock.elapse(10);
    expect(clock.pending).toBeGreaterThan(0);
    stop.abort(reason);
    expect(await error).toMatchObject({ code: Code.Canceled, reason: "canceled", cause: reason });
    expect((await error).rawMessage).toMatch(
      /^cannot connect to duplex:: canceled by the caller.* \(1 attempt in 10 ms\)$/,
    );
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  test("does not begin with a signal that has fired, nor goes on when onAttempt throws", async () => {
    const dial = () => expect.fail("dialed");
    expect((await failure(dialWithRetry(dial, { signal: AbortSignal.abort() }))).code).toBe(Code.Canceled);
    const onAttempt = () => {
      throw new RpcError(Code.Aborted, "seen enough");
    };
    const error = await failure(dialWithRetry(() => Promise.reject(refused()), { clock, onAttempt }));
    expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "seen enough" });
  });

  test("refuses addresses and options that are wrong", async () => {
    const code = Code.InvalidArgument;
    await expect(dialWithRetry("unix:a")).rejects.toMatchObject({ code });
    await expect(dialWithRetry("unix:/a", { timeoutMs: -1 })).rejects.toMatchObject({ code });
    await expect(dialWithRetry("unix:/a", { signal: 5 as unknown as AbortSignal })).rejects.toMatchObject({ code });
    await expect(dialWithRetry(() => 5 as unknown as Duplex)).rejects.toMatchObject({ code });
    await expect(dialWithRetry("unix:/a", { timeout: 5 } as never)).rejects.toMatchObject({
      code,
      rawMessage: 'dialWithRetry() has no option "timeout"',
    });
    await expect(dialWithRetry("vsock://any:1")).rejects.toMatchObject({ code });
  });
});
