// The small tools on streams: ends are passed on at once, and what can be read twice stays so.
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { createPushStream } from "./push-stream.js";
import { deferred, isStream, iterate, leave, mapped, only, onlyMessage } from "./streams.js";
import { all, failure, turns } from "./words.test.support.js";

const finished = { done: true, value: undefined };

test("isStream knows what can be iterated, text not being messages", () => {
  expect([[], new Set(), createPushStream(), only(1)].map(isStream)).toEqual([true, true, true, true]);
  expect(["text", null, undefined, 7, {}, () => {}].map(isStream)).toEqual(Array(6).fill(false));
});

describe("only", () => {
  test("gives its value once to each reader", async () => {
    const stream = only("x");
    expect(await all(stream)).toEqual(["x"]);
    expect(await all(stream)).toEqual(["x"]);
    const reader = iterate(stream);
    expect(await reader.return?.()).toEqual(finished);
    expect(await reader.next()).toEqual(finished);
  });
});

describe("mapped", () => {
  test("changes each value and can be read as often as its source", async () => {
    const doubled = mapped([1, 2], (value) => value * 2);
    expect(await all(doubled)).toEqual([2, 4]);
    expect(await all(doubled)).toEqual([2, 4]);
  });

  test("passes an early end on at once, also while a read waits", async () => {
    const source = createPushStream<number>();
    const reader = iterate(mapped(source, (value) => value));
    const waiting = reader.next();
    expect(await reader.return?.()).toEqual(finished);
    expect(await waiting).toEqual(finished);
    expect(await failure(source.push(1))).toMatchObject({ code: Code.Canceled });
  });

  test("leaves its source when a value cannot be changed", async () => {
    const source = createPushStream<number>();
    void source.push(1);
    const wrong = new Error("cannot");
    const stream = mapped(source, () => {
      throw wrong;
    });
    expect(await failure(all(stream))).toBe(wrong);
    expect(await failure(source.push(2))).toMatchObject({ code: Code.Canceled });
  });
});

describe("deferred", () => {
  test("reads what is opened, and ends with it", async () => {
    const stream = deferred(async () => [1, 2]);
    expect(await all(stream)).toEqual([1, 2]);
    expect(await stream.next()).toEqual(finished);
  });

  test("fails once, when it is read", async () => {
    const wrong = new Error("no source");
    const stream = deferred<number>(() => Promise.reject(wrong));
    await turns();
    expect(await failure(stream.next())).toBe(wrong);
    expect(await stream.next()).toEqual(finished);
  });

  test("left before it is open, leaves the source when that comes", async () => {
    const source = createPushStream<number>();
    const opened = Promise.withResolvers<AsyncIterable<number>>();
    const stream = deferred(() => opened.promise);
    expect(await stream.return?.()).toEqual(finished);
    expect(await stream.return?.()).toEqual(finished);
    opened.resolve(source);
    await turns();
    expect(await failure(source.push(1))).toMatchObject({ code: Code.Canceled });
  });

  test("left before its source fails to open, is quiet", async () => {
    const stream = deferred<number>(() => Promise.reject(new Error("x")));
    expect(await stream.return?.()).toEqual(finished);
    await turns();
  });
});

describe("leave", () => {
  test("keeps quiet whatever the source does", async () => {
    const next = (): never => {
      throw new Error("not read here");
    };
    leave(undefined);
    leave({ next });
    leave({ next, return: next });
    leave({ next, return: () => Promise.reject(new Error("x")) } as AsyncIterator<number>);
    await turns();
  });
});

describe("onlyMessage", () => {
  test("gives the one message, be it undefined", async () => {
    expect(await onlyMessage(only(7), "it")).toBe(7);
    expect(await onlyMessage(only(undefined), "it")).toBeUndefined();
  });

  test("says whose fault none or several is", async () => {
    const of = (values: number[]) => mapped(values, (value) => value);
    expect(await failure(onlyMessage(of([]), "its stream"))).toMatchObject({
      code: Code.Internal,
      rawMessage: "its stream has no message where one is due",
    });
    expect(await failure(onlyMessage(of([1, 2]), "its stream"))).toMatchObject({
      code: Code.Internal,
      rawMessage: "its stream has several messages where one is due",
    });
  });
});
