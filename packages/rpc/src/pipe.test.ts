// What pipes have beyond push streams, whose tests cover the rest: their abrupt end.
import { describe, expect, test } from "vitest";
import { Pipe } from "./pipe.js";
import { all, failure } from "./words.test.support.js";

const finished = { done: true, value: undefined };

describe("abort", () => {
  test("drops what waits; the reader and all writers fail with its error", async () => {
    const pipe = new Pipe<number>(1);
    const waiting = [pipe.push(1), pipe.push(2)].map(failure);
    const why = new Error("over");
    pipe.abort(why);
    pipe.abort(new Error("again"));
    expect(await Promise.all(waiting)).toEqual([why, why]);
    expect(pipe.size).toBe(0);
    expect(await failure(pipe.next())).toBe(why);
    expect(await pipe.next()).toEqual(finished);
    expect(await failure(pipe.push(3))).toBe(why);
  });

  test("ends a read that waits", async () => {
    const pipe = new Pipe<number>(1);
    const reading = failure(pipe.next());
    const why = new Error("over");
    pipe.abort(why);
    expect(await reading).toBe(why);
  });

  test("after the end says why what was still to be read is lost", async () => {
    const pipe = new Pipe<number>(4);
    void pipe.push(1);
    pipe.end();
    const why = new Error("over");
    pipe.abort(why);
    expect(await failure(pipe.next())).toBe(why);
  });

  test("after the end of all changes nothing", async () => {
    const pipe = new Pipe<number>(4);
    pipe.end();
    pipe.abort(new Error("over"));
    expect(await all(pipe)).toEqual([]);
  });
});

describe("leaving", () => {
  test("is told once, and not after the end", async () => {
    let left = 0;
    const pipe = new Pipe<number>(4, () => left++);
    await pipe.return();
    await pipe[Symbol.asyncDispose]();
    expect(left).toBe(1);
    const ended = new Pipe<number>(4, () => left++);
    ended.end();
    await ended.return();
    expect(left).toBe(1);
  });

  test("counts as early while something waits to be read, be it an error", async () => {
    let left = 0;
    const full = new Pipe<number>(4, () => left++);
    void full.push(1);
    full.end();
    await full.return();
    const failed = new Pipe<number>(4, () => left++);
    failed.fail(new Error("x"));
    await failed.return();
    expect(left).toBe(2);
    expect(await failed.next()).toEqual(finished);
  });
});
