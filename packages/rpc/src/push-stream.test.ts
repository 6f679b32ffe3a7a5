// Push streams: order, back-pressure, ends of both sides.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { createPushStream } from "./push-stream.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, turns } from "./words.test.support.js";

/** Whether a promise has settled, without waiting for it. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  await turns(1);
  return done;
}

import "./property-seed.test.support.js";

describe("values", () => {
  test("come out in the order in which they went in, whoever is first", async () => {
    const stream = createPushStream<number>();
    const early = [stream.next(), stream.next()];
    for (let i = 0; i < 5; i++) void stream.push(i);
    stream.end();
    expect((await Promise.all(early)).map(({ value }) => value)).toEqual([0, 1]);
    expect(await all(stream)).toEqual([2, 3, 4]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("may be undefined", async () => {
    const stream = createPushStream<undefined>();
    void stream.push(undefined);
    stream.end();
    expect(await all(stream)).toEqual([undefined]);
  });

  test("reach concurrent readers one each, and the end reaches the rest", async () => {
    const stream = createPushStream<string>();
    const readers = [stream.next(), stream.next(), stream.next()];
    void stream.push("a");
    stream.end();
    expect(await Promise.all(readers)).toEqual([
      { done: false, value: "a" },
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  test("very many of them, pushed without waiting, stay in order", async () => {
    const stream = createPushStream<number>();
    const pushes = Array.from({ length: 5000 }, (_, i) => stream.push(i));
    stream.end();
    expect(await all(stream)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    await Promise.all(pushes);
  });
});

describe("back-pressure", () => {
  test("push waits from the high-water mark on, and goes on with each value read", async () => {
    const stream = createPushStream<number>({ highWaterMark: 2 });
    expect(await settled(stream.push(1))).toBe(true);
    const second = stream.push(2);
    expect(await settled(second)).toBe(false);
    await stream.next();
    await second;
  });

  test("the default lets 15 pass and holds the 16th", async () => {
    const stream = createPushStream<number>();
    for (let i = 0; i < 15; i++) await stream.push(i);
    expect(await settled(stream.push(15))).toBe(false);
  });

  test("every push that nobody awaited resolves once all was read", async () => {
    const stream = createPushStream<number>({ highWaterMark: 1 });
    const pushes = [1, 2, 3, 4, 5].map((value) => stream.push(value));
    for (let i = 0; i < 5; i++) await stream.next();
    await Promise.all(pushes);
  });

  test("pushes that wait at the end resolve when they are read", async () => {
    const stream = createPushStream<number>({ highWaterMark: 1 });
    const pushed = stream.push(1);
    stream.end();
    expect(await settled(pushed)).toBe(false);
    expect(await all(stream)).toEqual([1]);
    await pushed;
  });

  test.each([0, -1, Number.NaN, "2", null])("a high-water mark of %s is refused", (highWaterMark) => {
    const make = () => createPushStream({ highWaterMark: highWaterMark as number });
    expect(make).toThrow(`highWaterMark must be a number from 1 on, not ${highWaterMark}`);
    expect(make).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  });

  test("with any writers and readers nothing is lost, doubled, out of order or left waiting", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (mark, steps) => {
          const stream = createPushStream<number>({ highWaterMark: mark });
          const pushes: Promise<void>[] = [];
          const reads: Promise<IteratorResult<number, undefined>>[] = [];
          for (const write of steps) {
            if (write) pushes.push(stream.push(pushes.length));
            else reads.push(stream.next());
          }
          stream.end();
          const rest = await all(stream);
          const early = (await Promise.all(reads)).flatMap(({ done, value }) => (done ? [] : [value as number]));
          expect([...early, ...rest]).toEqual(pushes.map((_, i) => i));
          await Promise.all(pushes);
        },
      ),
    );
  });
});

describe("ends", () => {
  test("nothing can be pushed after end, and a second end does nothing", async () => {
    const stream = createPushStream<number>();
    stream.end();
    stream.end();
    stream.fail(new Error("too late"));
    const error = await failure(stream.push(1));
    expect(error).toMatchObject({ code: Code.FailedPrecondition });
    expect(await all(stream)).toEqual([]);
  });

  test("a failure comes after what was pushed, once", async () => {
    const stream = createPushStream<number>();
    const cause = new Error("source broke");
    void stream.push(1);
    stream.fail(cause);
    stream.fail(new Error("second"));
    stream.end();
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    expect(await failure(stream.next())).toBe(cause);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(await failure(stream.push(2))).toMatchObject({ code: Code.FailedPrecondition });
  });

  test("a failure reaches the first of several readers; the others see the end", async () => {
    const stream = createPushStream<number>();
    const readers = [stream.next(), stream.next()] as const;
    stream.fail("just a text");
    expect(await failure(readers[0])).toBe("just a text");
    expect(await readers[1]).toEqual({ done: true, value: undefined });
  });

  test("a reader that leaves makes waiting and later pushes fail with Canceled", async () => {
    const stream = createPushStream<number>({ highWaterMark: 1 });
    const waiting = stream.push(1);
    const other = stream.push(2);
    for await (const value of stream) {
      expect(value).toBe(1);
      break;
    }
    // Its value was read before the reader left.
    await waiting;
    expect(await failure(other)).toMatchObject({ code: Code.Canceled, reason: "canceled" });
    expect(await failure(stream.push(3))).toBeInstanceOf(RpcError);
    expect(await failure(stream.push(3))).toMatchObject({ code: Code.Canceled });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("a reader that leaves after the end leaves nothing waiting", async () => {
    const stream = createPushStream<number>({ highWaterMark: 1 });
    const waiting = stream.push(1);
    stream.end();
    await stream.return();
    expect(await failure(waiting)).toMatchObject({ code: Code.Canceled });
  });

  test("leaving ends other reads, and a thrown error is given back", async () => {
    const stream = createPushStream<number>();
    const waiting = stream.next();
    const thrown = new Error("x");
    expect(await failure(stream.throw?.(thrown) as Promise<unknown>)).toBe(thrown);
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test("disposal is the writer's end: what was pushed is still read", async () => {
    let kept: AsyncIterable<number>;
    {
      await using stream = createPushStream<number>();
      kept = stream;
      void stream.push(1);
    }
    expect(await all(kept)).toEqual([1]);
  });

  test("a push whose rejection nobody awaits does the process no harm", async () => {
    const seen: unknown[] = [];
    const listener = (reason: unknown): void => void seen.push(reason);
    process.on("unhandledRejection", listener);
    const stream = createPushStream<number>({ highWaterMark: 1 });
    void stream.push(1);
    await stream.return();
    void stream.push(2);
    await turns();
    process.off("unhandledRejection", listener);
    expect(seen).toEqual([]);
  });
});
