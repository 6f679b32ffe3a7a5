// The queue of received messages, from both of its ends.
import { beforeEach, describe, expect, test } from "vitest";
import { MessageQueue } from "./message-queue.js";

const seen = { consumed: [] as number[], left: 0 };

function makeQueue(): MessageQueue<string> {
  return new MessageQueue<string>({
    consumed: (bytes) => void seen.consumed.push(bytes),
    left: () => void seen.left++,
  });
}

const finished = { done: true, value: undefined };
const error = new Error("broken");

beforeEach(() => {
  seen.consumed = [];
  seen.left = 0;
});

describe("a queue that is filled before it is read", () => {
  test("counts what waits and gives it in order", async () => {
    const queue = makeQueue();
    expect([queue.push("a", 3), queue.push("b", 0), queue.push("c", 4)]).toEqual([true, true, true]);
    expect([queue.size, queue.bytes, queue.reads, queue.ended]).toEqual([3, 7, 0, false]);
    expect(await queue.next()).toEqual({ done: false, value: "a" });
    expect([queue.size, queue.bytes, queue.reads]).toEqual([2, 4, 1]);
    queue.end();
    expect(queue.ended).toBe(true);
    expect(await Array.fromAsync(queue)).toEqual(["b", "c"]);
    expect(seen).toEqual({ consumed: [3, 0, 4], left: 0 });
    expect(await queue.next()).toEqual(finished);
  });

  test("takes nothing after its end", async () => {
    const queue = makeQueue();
    queue.end();
    queue.end();
    expect(queue.push("late", 4)).toBe(false);
    queue.fail(error, true);
    expect(await queue.next()).toEqual(finished);
    expect(seen).toEqual({ consumed: [], left: 0 });
  });

  test("fails after what waits, once", async () => {
    const queue = makeQueue();
    queue.push("a", 1);
    queue.fail(error, false);
    queue.fail(new Error("second"), false);
    expect(await queue.next()).toEqual({ done: false, value: "a" });
    await expect(queue.next()).rejects.toBe(error);
    expect(await queue.next()).toEqual(finished);
  });

  test("fails at once where what waits is discarded, and gives it back", async () => {
    const queue = makeQueue();
    queue.push("a", 1);
    queue.push("b", 2);
    queue.fail(error, true);
    expect([queue.size, queue.bytes, seen.consumed]).toEqual([0, 0, [3]]);
    await expect(queue.next()).rejects.toBe(error);
    expect(seen.left).toBe(0);
  });

  test("gives back messages without bytes as well", () => {
    const queue = makeQueue();
    queue.push("", 0);
    queue.fail(error, true);
    expect(seen.consumed).toEqual([0]);
  });

  test("gives nothing back where nothing waits", () => {
    const queue = makeQueue();
    queue.fail(error, true);
    expect(seen.consumed).toEqual([]);
  });

  test("keeps its order and its counts through thousands of messages", async () => {
    const queue = makeQueue();
    let pushed = 0;
    const got: string[] = [];
    // Always about 1,500 wait, so that the list is cut while it is in use.
    for (let round = 0; round < 10; round++) {
      while (queue.size < 2000) queue.push(String(pushed++), 1);
      while (queue.size > 500) got.push((await queue.next()).value as string);
    }
    queue.end();
    got.push(...(await Array.fromAsync(queue)));
    expect(got).toEqual(Array.from({ length: pushed }, (_, i) => String(i)));
    expect([queue.size, queue.bytes, queue.reads]).toEqual([0, 0, pushed]);
  });
});

describe("a queue that is waited on", () => {
  test("gives a message at once and counts nothing", async () => {
    const queue = makeQueue();
    const first = queue.next();
    expect(queue.push("a", 5)).toBe(false);
    expect(await first).toEqual({ done: false, value: "a" });
    expect([queue.size, queue.bytes, queue.reads, seen.consumed]).toEqual([0, 0, 1, []]);
  });

  test("serves several readers in order, and ends all of them", async () => {
    const queue = makeQueue();
    const reads = [queue.next(), queue.next(), queue.next()];
    queue.push("a", 1);
    queue.end();
    expect(await Promise.all(reads)).toEqual([{ done: false, value: "a" }, finished, finished]);
  });

  test("gives its failure to the first reader and ends the others", async () => {
    const queue = makeQueue();
    const reads = [queue.next(), queue.next()];
    queue.fail(error, false);
    await expect(reads[0]).rejects.toBe(error);
    expect(await reads[1]).toEqual(finished);
    expect(await queue.next()).toEqual(finished);
  });
});

describe("a reader that leaves", () => {
  test("by break drops what waits and tells the owner once", async () => {
    const queue = makeQueue();
    queue.push("a", 1);
    queue.push("b", 2);
    queue.push("c", 3);
    for await (const value of queue) {
      expect(value).toBe("a");
      break;
    }
    expect([queue.size, queue.bytes, seen]).toEqual([0, 0, { consumed: [1, 5], left: 1 }]);
    await queue.return();
    expect(seen.left).toBe(1);
    expect(queue.push("late", 1)).toBe(false);
    expect(await queue.next()).toEqual(finished);
  });

  test("ends those who wait", async () => {
    const queue = makeQueue();
    const read = queue.next();
    expect(await queue.return()).toEqual(finished);
    expect(await read).toEqual(finished);
    expect(seen.left).toBe(1);
  });

  test("after the end has not left", async () => {
    const queue = makeQueue();
    queue.push("a", 1);
    queue.end();
    expect(await Array.fromAsync(queue)).toEqual(["a"]);
    await queue.return();
    expect(seen.left).toBe(0);
  });

  test.each([
    ["ended with messages that wait", (queue: MessageQueue<string>) => queue.end()],
    ["failed", (queue: MessageQueue<string>) => queue.fail(error, false)],
  ])("before it saw that the queue has %s has left", async (_, finish) => {
    const queue = makeQueue();
    queue.push("a", 1);
    finish(queue);
    await queue.return();
    expect(seen.left).toBe(1);
    expect(await queue.next()).toEqual(finished);
  });

  test("by throwing gets its own error", async () => {
    const queue = makeQueue();
    await expect(queue.throw(error)).rejects.toBe(error);
    expect(seen.left).toBe(1);
  });

  test("by disposal", async () => {
    const queue = makeQueue();
    {
      await using scoped = queue;
      expect(scoped[Symbol.asyncIterator]()).toBe(queue);
    }
    expect(seen.left).toBe(1);
  });
});
