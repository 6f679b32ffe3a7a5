// The deadline wheel on a clock that stands still: never early, never more than a slot late.
import { FakeClock, propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type Deadlined, DeadlineWheel, wheelOf } from "./deadline-wheel.js";
import type { Clock } from "./link.js";
import { systemClock } from "./system-clock.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

class Entry implements Deadlined {
  deadlineAt: number;
  wheelNext: Deadlined | undefined = undefined;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelSlot = -1;
  readonly calledAt: number[] = [];
  readonly #clock: Clock;
  readonly #then: (() => void) | undefined;

  constructor(clock: Clock, inMs: number, then?: () => void) {
    this.#clock = clock;
    this.deadlineAt = clock.now() + inMs;
    this.#then = then;
  }

  deadlinePassed(): void {
    this.calledAt.push(this.#clock.now());
    this.#then?.();
  }
}

function start(at?: number) {
  const clock = new FakeClock(at);
  return { clock, wheel: new DeadlineWheel(clock) };
}

describe("DeadlineWheel", () => {
  test("holds nothing at first, not even a timer", () => {
    const { clock, wheel } = start();
    expect([wheel.size, clock.pending]).toEqual([0, 0]);
    wheel.settle();
    expect(clock.pending).toBe(0);
  });

  test.each([0, 0.5, 1, 7, 8, 9, 500, 4095, 4096, 4097, 10_000, 3_600_000, 24 * 3_600_000])(
    "calls an entry that is due in %d ms then or up to 8 ms later, once, and then has no timer",
    (ms) => {
      const { clock, wheel } = start(1_000_003.25);
      const entry = new Entry(clock, ms);
      wheel.add(entry);
      expect([wheel.size, clock.pending]).toEqual([1, 1]);
      if (ms > 0) clock.advance(ms - 0.01);
      expect(entry.calledAt).toEqual([]);
      clock.advance(9);
      expect(entry.calledAt).toHaveLength(1);
      expect((entry.calledAt[0] as number) - entry.deadlineAt).toBeLessThanOrEqual(8);
      expect([wheel.size, clock.pending, entry.wheelSlot]).toEqual([0, 0, -1]);
    },
  );

  test("calls what was due long ago in the next tick, not while it is added", () => {
    const { clock, wheel } = start();
    const entry = new Entry(clock, -10_000);
    wheel.add(entry);
    expect(entry.calledAt).toEqual([]);
    clock.advance(8);
    expect(entry.calledAt).toHaveLength(1);
  });

  test("never calls an entry that was taken out, wherever it stands in its slot", () => {
    for (const out of [0, 1, 2]) {
      const { clock, wheel } = start();
      const entries = [50, 50, 50].map((ms) => new Entry(clock, ms));
      for (const entry of entries) wheel.add(entry);
      wheel.remove(entries[out] as Entry);
      wheel.remove(entries[out] as Entry);
      expect(wheel.size).toBe(2);
      clock.advance(100);
      expect(entries.map(({ calledAt }) => calledAt.length)).toEqual([0, 1, 2].map((i) => (i === out ? 0 : 1)));
    }
  });

  test("stops its timer when nothing waits: by itself, or at once with settle", () => {
    const { clock, wheel } = start();
    const entry = new Entry(clock, 60_000);
    wheel.add(entry);
    wheel.remove(entry);
    expect(clock.pending).toBe(1);
    clock.advance(5000);
    expect(clock.pending).toBe(0);
    wheel.add(entry);
    wheel.settle();
    expect(clock.pending).toBe(1);
    wheel.remove(entry);
    wheel.settle();
    expect(clock.pending).toBe(0);
  });

  test("wakes earlier when an earlier entry comes", () => {
    const { clock, wheel } = start();
    const [late, early] = [new Entry(clock, 3000), new Entry(clock, 20)];
    wheel.add(late);
    wheel.add(early);
    expect(clock.pending).toBe(1);
    clock.advance(28);
    expect([early.calledAt.length, late.calledAt.length]).toEqual([1, 0]);
    clock.advance(2980);
    expect(late.calledAt).toHaveLength(1);
  });

  test("an entry that adds a later one does not delay those between", () => {
    const { clock, wheel } = start();
    const far = new Entry(clock, 3000);
    const first = new Entry(clock, 10, () => wheel.add(far));
    const second = new Entry(clock, 100);
    wheel.add(first);
    wheel.add(second);
    clock.advance(120);
    expect([first.calledAt.length, second.calledAt.length, far.calledAt.length]).toEqual([1, 1, 0]);
    clock.advance(3000);
    expect([far.calledAt.length, wheel.size, clock.pending]).toEqual([1, 0, 0]);
  });

  test("an entry may take out another one that is due with it", () => {
    const { clock, wheel } = start();
    const second = new Entry(clock, 10);
    const first = new Entry(clock, 10, () => wheel.remove(second));
    wheel.add(second);
    wheel.add(first);
    clock.advance(20);
    expect([first.calledAt.length, second.calledAt.length, wheel.size]).toEqual([1, 0, 0]);
  });

  test("an entry that throws stops neither those that are due with it nor later ones", () => {
    const { clock, wheel } = start();
    const mine = (): never => {
      throw new Error("mine");
    };
    const others = [10, 10, 10, 500, 5000].map((ms) => new Entry(clock, ms));
    const throwing = [10, 10, 400].map((ms) => new Entry(clock, ms, mine));
    // Among the others, wherever the wheel begins.
    for (let i = 0; i < 5; i++) for (const entry of [others[i], throwing[i]]) if (entry !== undefined) wheel.add(entry);
    const calls = (entries: Entry[]): number[] => entries.map(({ calledAt }) => calledAt.length);
    for (let thrown = 0; thrown < 2; thrown++) expect(() => clock.advance(16)).toThrow("mine");
    clock.advance(16);
    expect([calls(others), calls(throwing)]).toEqual([
      [1, 1, 1, 0, 0],
      [1, 1, 0],
    ]);
    expect(() => clock.advance(400)).toThrow("mine");
    clock.advance(5000);
    expect([calls(others), calls(throwing)]).toEqual([
      [1, 1, 1, 1, 1],
      [1, 1, 1],
    ]);
    // A tick more for each that threw in front of it.
    for (const { calledAt, deadlineAt } of [...others, ...throwing]) {
      expect((calledAt[0] as number) - deadlineAt).toBeLessThanOrEqual(3 * 8);
    }
    expect([wheel.size, clock.pending]).toEqual([0, 0]);
  });

  test("an entry may be added again from its own call", () => {
    const { clock, wheel } = start();
    const entry: Entry = new Entry(clock, 10, () => {
      if (entry.calledAt.length === 3) return;
      entry.deadlineAt = clock.now() + 10;
      wheel.add(entry);
    });
    wheel.add(entry);
    clock.advance(100);
    expect([entry.calledAt.length, wheel.size, clock.pending]).toEqual([3, 0, 0]);
  });

  test("after a long pause of the process everything that is due is called", () => {
    const { clock, wheel } = start();
    const entries = [10, 2000, 4000, 5000, 9000, 30_000].map((ms) => new Entry(clock, ms));
    let jumped = false;
    const jump = new Entry(clock, 8, () => {
      jumped = true;
    });
    for (const entry of [...entries, jump]) wheel.add(entry);
    const stopped = clock.now() + 20_000;
    // The process stood still: the first timer fires when the time is long over.
    const realNow = clock.now.bind(clock);
    clock.now = () => Math.max(realNow(), stopped);
    clock.advance(16);
    expect(jumped).toBe(true);
    expect(entries.map(({ calledAt }) => calledAt.length)).toEqual([1, 1, 1, 1, 1, 0]);
  });

  test("calls each of many entries once and in time, whatever is taken out meanwhile", () => {
    const plan = fc.array(
      fc.record({
        addAt: fc.nat({ max: 6000 }),
        after: fc.nat({ max: 12_000 }),
        removeAt: fc.option(fc.nat({ max: 18_000 })),
      }),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(plan, (given) => {
        const { clock, wheel } = start();
        const begin = clock.now();
        const entries = given.map((step) => ({ ...step, entry: undefined as Entry | undefined, removed: false }));
        for (const step of entries) {
          clock.after(step.addAt, () => {
            step.entry = new Entry(clock, step.after);
            wheel.add(step.entry);
          });
          if (step.removeAt !== null) {
            clock.after(step.removeAt, () => {
              if (step.entry === undefined || step.entry.calledAt.length > 0) return;
              wheel.remove(step.entry);
              step.removed = true;
            });
          }
        }
        clock.advance(30_000);
        for (const { entry, removed, addAt, after } of entries) {
          const calledAt = entry?.calledAt ?? [];
          expect(calledAt).toHaveLength(removed ? 0 : 1);
          if (removed) continue;
          const late = (calledAt[0] as number) - (begin + addAt + after);
          expect(late).toBeGreaterThanOrEqual(0);
          expect(late).toBeLessThanOrEqual(8);
        }
        expect([wheel.size, clock.pending]).toEqual([0, 0]);
      }),
      { numRuns: 1000 },
    );
  });

  test("does not wait for a timer of a test's fake time that is over", async () => {
    const wheel = wheelOf(systemClock);
    vi.useFakeTimers();
    const early = new Entry(systemClock, 1000);
    wheel.add(early);
    wheel.remove(early);
    vi.useRealTimers();
    await new Promise<void>((resolve) => wheel.add(new Entry(systemClock, 1, resolve)));
    expect(wheel.size).toBe(0);
  });

  test.each([
    ["none of it gone", 1000, 0],
    ["some of it gone", 60_000, 500],
    ["much more of it gone than of ours", 48 * 3_600_000, 24 * 3_600_000],
  ])("is not held up by an entry that a test's fake time has left behind: %s", async (_, inMs, goneMs) => {
    const wheel = new DeadlineWheel(systemClock);
    vi.useFakeTimers();
    const [left, called] = [new Entry(systemClock, inMs), new Entry(systemClock, 1)];
    wheel.add(left);
    wheel.add(called);
    vi.advanceTimersByTime(goneMs);
    vi.useRealTimers();
    expect(called.calledAt).toHaveLength(goneMs > 0 ? 1 : 0);
    for (let i = 0; i < 3; i++) {
      const entry = new Entry(systemClock, 1);
      await new Promise<void>((resolve) => {
        wheel.add(Object.assign(entry, { deadlinePassed: resolve }));
      });
      expect(systemClock.now()).toBeGreaterThanOrEqual(entry.deadlineAt);
    }
    wheel.remove(left);
    wheel.remove(called);
    wheel.settle();
    expect(wheel.size).toBe(0);
  });
});
