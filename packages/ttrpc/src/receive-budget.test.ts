// The bounds on what was received and not read; docs/wire.md has the rules.
import { FakeClock } from "@guestwire/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { DeadlineWheel } from "./deadline-wheel.js";
import { type Limits, resolveLimits } from "./limits.js";
import { MessageQueue } from "./message-queue.js";
import { ReceiveBudget, type StreamAccount } from "./receive-budget.js";

const overhead = 128;
let clock: FakeClock;
let wheel: DeadlineWheel;
/** Calls that share the connection. */
let calls: number;
/** Whether the connection is read. */
let reading: boolean;
let pauses: number;

const input = {
  pause: () => {
    reading = false;
    pauses++;
  },
  resume: () => {
    reading = true;
  },
};

beforeEach(() => {
  clock = new FakeClock();
  wheel = new DeadlineWheel(clock);
  calls = 1;
  reading = true;
  pauses = 0;
});

function makeBudget(limits: Partial<Limits> = {}): ReceiveBudget {
  return new ReceiveBudget(input, clock, wheel, resolveLimits(limits), () => calls);
}

interface Stream {
  readonly queue: MessageQueue<unknown>;
  readonly account: StreamAccount;
  failed: number;
  fill(messages: number, bytes: number): void;
}

function openStream(budget: ReceiveBudget): Stream {
  const queue: MessageQueue<unknown> = new MessageQueue<unknown>({
    consumed: (bytes) => account.consumed(bytes),
    left: () => account.close(),
  });
  const stream: Stream = {
    queue,
    get account() {
      return account;
    },
    failed: 0,
    fill(messages, bytes) {
      for (let i = 0; i < messages; i++) if (queue.push({}, bytes)) account.added(bytes);
    },
  };
  const account: StreamAccount = budget.open(queue, () => {
    stream.failed++;
    queue.fail(new Error("overflow"), false);
  });
  return stream;
}

async function take(stream: Stream, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await stream.queue.next();
}

describe("the sole stream of a connection", () => {
  test.each([
    ["bound - 1", 63, true],
    ["bound", 64, false],
  ])("is read on until streamMessages wait: %s", (_, count, reads) => {
    const stream = openStream(makeBudget());
    stream.fill(count, 1);
    expect([reading, stream.account.full]).toEqual([reads, !reads]);
  });

  test.each([
    ["bound - 1", 999, true],
    ["bound", 1000, false],
    ["bound + 1", 1001, false],
  ])("is read on until streamBytes wait: %s", (_, size, reads) => {
    const stream = openStream(makeBudget({ streamBytes: 1000 }));
    stream.fill(1, size);
    expect(reading).toBe(reads);
  });

  test("is read again once half of it is taken, not before", async () => {
    const stream = openStream(makeBudget());
    stream.fill(64, 1);
    await take(stream, 31);
    expect(reading).toBe(false);
    await take(stream, 1);
    expect([reading, stream.account.full, wheel.size]).toEqual([true, false, 0]);
  });

  test("with a bound of one message is read again when that is taken", async () => {
    const stream = openStream(makeBudget({ streamMessages: 1 }));
    stream.fill(1, 0);
    expect(reading).toBe(false);
    await take(stream, 1);
    expect(reading).toBe(true);
  });

  test("may stay full for as long as it likes; the connection is read a little now and then", async () => {
    const budget = makeBudget({ stallMs: 100 });
    const stream = openStream(budget);
    stream.fill(64, 1);
    for (let i = 0; i < 50; i++) {
      clock.advance(108);
      expect(reading).toBe(true);
      stream.fill(1, 1);
      expect(reading).toBe(false);
    }
    expect(stream.failed).toBe(0);
    await take(stream, 114);
    expect([reading, budget.bytes]).toEqual([true, 0]);
  });

  test("is not read at all any more once receiveBytes wait", async () => {
    const budget = makeBudget({ stallMs: 100, receiveBytes: 10_000 });
    const stream = openStream(budget);
    stream.fill(64, 1);
    // The wheel's timer and the budget may differ by a slot.
    for (let i = 0; i < 100; i++) {
      clock.advance(108);
      if (reading) stream.fill(1, 100);
    }
    expect([stream.failed, reading]).toEqual([0, false]);
    expect(budget.bytes).toBeGreaterThanOrEqual(10_000);
    expect(budget.bytes).toBeLessThan(10_000 + 100 + overhead);
    await take(stream, stream.queue.size);
    expect([reading, budget.bytes]).toEqual([true, 0]);
  });

  test("is read again when another call begins", () => {
    const budget = makeBudget();
    const stream = openStream(budget);
    stream.fill(64, 1);
    calls = 2;
    budget.callBegan();
    expect(reading).toBe(true);
    stream.fill(1, 1);
    expect(reading).toBe(true);
  });

  test("is read again when it ends or fails", () => {
    const stream = openStream(makeBudget());
    stream.fill(64, 1);
    stream.account.close();
    stream.account.close();
    expect([reading, wheel.size]).toEqual([true, 0]);
  });
});

describe("a full stream beside other calls", () => {
  beforeEach(() => {
    calls = 2;
  });

  test("does not stop the connection", () => {
    const stream = openStream(makeBudget());
    stream.fill(200, 1);
    expect([reading, pauses]).toEqual([true, 0]);
  });

  test("fails when nothing is taken for stallMs, never before", () => {
    const stream = openStream(makeBudget({ stallMs: 100 }));
    stream.fill(64, 1);
    clock.advance(99);
    expect(stream.failed).toBe(0);
    clock.advance(9);
    expect([stream.failed, wheel.size]).toEqual([1, 0]);
  });

  test("may be slow, as long as something is taken", async () => {
    const stream = openStream(makeBudget({ stallMs: 100 }));
    stream.fill(200, 1);
    for (let i = 0; i < 20; i++) {
      await take(stream, 1);
      clock.advance(108);
    }
    expect(stream.failed).toBe(0);
    clock.advance(108);
    expect(stream.failed).toBe(1);
  });

  test("is forgiven when it is alone again", () => {
    const stream = openStream(makeBudget({ stallMs: 100 }));
    stream.fill(64, 1);
    calls = 1;
    clock.advance(500);
    expect(stream.failed).toBe(0);
    stream.fill(1, 1);
    expect(reading).toBe(false);
  });
});

describe("all streams of a connection together", () => {
  beforeEach(() => {
    calls = 3;
  });

  test.each([
    ["bound - 1", 871, 0],
    ["bound", 872, 0],
    ["bound + 1", 873, 1],
  ])("may hold receiveBytes, with an overhead for each message: %s", (_, size, failed) => {
    const stream = openStream(makeBudget({ receiveBytes: 1000 }));
    stream.fill(1, size);
    expect(stream.failed).toBe(failed);
  });

  test("the fullest fails when it is too much", () => {
    const budget = makeBudget({ receiveBytes: 10_000 });
    const [small, large, newest] = [openStream(budget), openStream(budget), openStream(budget)];
    small.fill(1, 100);
    large.fill(2, 4000);
    newest.fill(1, 3000);
    expect([small.failed, large.failed, newest.failed]).toEqual([0, 1, 0]);
  });

  test("what waits on streams that have ended counts until it is read", async () => {
    const budget = makeBudget();
    const stream = openStream(budget);
    stream.fill(3, 10);
    stream.account.close();
    expect(budget.bytes).toBe(3 * (10 + overhead));
    await take(stream, 3);
    expect(budget.bytes).toBe(0);
  });

  test("a stream that is forgotten counts no more, read or not", async () => {
    const budget = makeBudget();
    const stream = openStream(budget);
    stream.fill(3, 10);
    await take(stream, 1);
    stream.account.forget();
    stream.account.forget();
    expect(budget.bytes).toBe(0);
    await take(stream, 1);
    await stream.queue.return();
    expect(budget.bytes).toBe(0);
  });

  test.each([0, 10])("nothing stays counted when a reader leaves messages of %i bytes", async (size) => {
    const budget = makeBudget();
    const stream = openStream(budget);
    stream.fill(5, size);
    await take(stream, 1);
    await stream.queue.return();
    expect(budget.bytes).toBe(0);
  });

  test("a stream that has ended does not fail any more", () => {
    const stream = openStream(makeBudget());
    stream.account.close();
    stream.account.fail();
    expect(stream.failed).toBe(0);
  });
});
