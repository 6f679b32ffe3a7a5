// Any policy, any failures: attempts and pauses stay in their bounds, the end comes in time, and nothing is left.
import { RpcError } from "@guestwire/rpc";
import { type DialAttempt, type DialPolicy, retryDial, stepMs } from "@guestwire/rpc/transport";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { propertySeed } from "./property-seed.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const steps = fc
  .record({
    initialMs: fc.integer({ min: 1, max: 200 }),
    more: fc.nat({ max: 3000 }),
    factor: fc.constantFrom(1, 1.5, 2, 10),
  })
  .map(({ initialMs, more, factor }) => ({ initialMs, maxMs: initialMs + more, factor }));
const policies: fc.Arbitrary<DialPolicy> = fc.record({
  timeoutMs: fc.integer({ min: 1, max: 5000 }),
  attempt: steps,
  pause: fc.oneof(steps, fc.constant("rest" as const)),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
/** How long each attempt takes, as a share of what it may; 1: until its time is up. */
const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 });

const refused = (): Error => Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

test("a step is never below the first, never above the longest, and never shorter than the one before", () => {
  fc.assert(
    fc.property(steps, fc.nat({ max: 5000 }), (given, failures) => {
      const ms = stepMs(given, failures);
      expect(ms).toBeGreaterThanOrEqual(given.initialMs);
      expect(ms).toBeLessThanOrEqual(given.maxMs);
      expect(stepMs(given, failures + 1)).toBeGreaterThanOrEqual(ms);
    }),
  );
});

test("attempts and pauses stay in the policy's bounds, and all of it in its time", async () => {
  await fc.assert(
    fc.asyncProperty(policies, shares, fc.double({ min: 0, max: 1, noNaN: true }), async (policy, taken, chance) => {
      const clock = new FakeClock(0);
      const told: DialAttempt[] = [];
      const attempts: number[] = [];
      let number = 0;
      const ended = retryDial<never>(
        {
          failed: "cannot connect",
          late: "no connection",
          policy,
          attempt: async ({ attemptMs, signal }) => {
            attempts.push(attemptMs);
            const share = taken[number++ % taken.length] as number;
            const ms = share * attemptMs;
            if (ms > 0) {
              await new Promise<void>((resolve) => {
                const timer = clock.after(ms, resolve);
                signal.addEventListener("abort", () => {
                  timer.cancel();
                  resolve();
                });
              });
            }
            throw refused();
          },
        },
        { clock, random: () => chance, onAttempt: (attempt) => told.push(attempt) },
      ).catch((error: unknown) => error);
      let over = false;
      void ended.then(() => {
        over = true;
      });
      // Timer by timer, as each attempt sets the next ones.
      for (let turns = 0; !over && turns < 20_000; turns++) {
        await Promise.resolve();
        if (turns % 4 === 3) clock.advance(1);
      }
      const error = (await ended) as RpcError;
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toMatchObject({ code: 4, reason: "deadline" });
      expect(clock.now()).toBeLessThanOrEqual(policy.timeoutMs + 1);
      expect(clock.pending).toBe(0);
      expect(told.length).toBeGreaterThanOrEqual(attempts.length - 1);
      for (const ms of attempts) {
        expect(ms).toBeGreaterThanOrEqual(policy.attempt.initialMs);
        expect(ms).toBeLessThanOrEqual(policy.attempt.maxMs);
      }
      const longest = policy.pause === "rest" ? policy.attempt.maxMs : policy.pause.maxMs;
      for (const [i, { attempt, nextMs, elapsedMs }] of told.entries()) {
        expect(attempt).toBe(i + 1);
        expect(nextMs).toBeGreaterThanOrEqual(0);
        expect(nextMs).toBeLessThanOrEqual(longest);
        expect(elapsedMs + nextMs).toBeLessThanOrEqual(policy.timeoutMs);
      }
    }),
    { numRuns: 1000 },
  );
});
