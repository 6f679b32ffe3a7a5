// Turns, pauses and slow frames of the receiving side.
import { encodeFrames, FakeClock, rawFrame, turns, unhex } from "@guestwire/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { DeadlineWheel } from "./deadline-wheel.js";
import { FrameReader } from "./frame-reader.js";
import { resolveLimits } from "./limits.js";
import type { Link } from "./link.js";

let clock: FakeClock;
let wheel: DeadlineWheel;
let flowing: boolean;
let ids: number[];
let faults: string[];
let reader: FrameReader;
let onFrame: (() => void) | undefined;

const link: Link = {
  peer: { kind: "none", address: "none:" },
  queuedBytes: 0,
  start() {},
  write: () => true,
  writeAll() {},
  pause() {
    flowing = false;
  },
  resume() {
    flowing = true;
  },
  end() {},
  destroy() {},
};

beforeEach(() => {
  clock = new FakeClock();
  wheel = new DeadlineWheel(clock);
  flowing = true;
  ids = [];
  faults = [];
  onFrame = undefined;
  const limits = resolveLimits({ framesPerTurn: 3, frameMs: 1000, messageBytes: 100 });
  reader = new FrameReader(link, clock, wheel, limits, {
    frame: ({ id }) => {
      ids.push(id);
      onFrame?.();
    },
    unreadable: (message) => {
      faults.push(message);
      reader.close();
    },
  });
});

const frames = (...wanted: number[]): Buffer => encodeFrames(wanted.map((id) => rawFrame(id, 1, 0)));

describe("turns", () => {
  test.each([
    ["bound - 1", [1, 3], true],
    ["bound", [1, 3, 5], false],
  ])("framesPerTurn frames are handled before others have their turn: %s", (_, wanted, stillFlowing) => {
    reader.received(frames(...wanted));
    expect([ids, flowing]).toEqual([wanted, stillFlowing]);
  });

  test("the rest follows in later turns, in order with what came meanwhile", async () => {
    reader.received(frames(1, 3, 5, 7, 9, 11, 13));
    reader.received(frames(15, 17));
    expect(ids).toEqual([1, 3, 5]);
    await turns(1);
    expect(ids).toEqual([1, 3, 5, 7, 9, 11]);
    await turns(2);
    expect([ids, flowing]).toEqual([[1, 3, 5, 7, 9, 11, 13, 15, 17], true]);
  });

  test("nothing is handled after close, not even the rest of a chunk", async () => {
    onFrame = () => ids.length === 2 && reader.close();
    reader.received(frames(1, 3, 5));
    reader.received(frames(7));
    expect(ids).toEqual([1, 3]);
    onFrame = undefined;
  });

  test("nothing is handled after a close between turns", async () => {
    reader.received(frames(1, 3, 5, 7));
    reader.close();
    await turns(2);
    expect([ids, flowing]).toEqual([[1, 3, 5], false]);
  });
});

test("frames that wait for their turn outlast the lent memory they came in", async () => {
  const texts: string[] = [];
  reader = new FrameReader(link, clock, wheel, resolveLimits({ framesPerTurn: 2 }), {
    frame: ({ buffer, start, end }) => void texts.push(buffer.toString("latin1", start, end)),
    unreadable: (message) => void faults.push(message),
  });
  const lent = Buffer.alloc(1000);
  const lend = (...words: string[]): void => {
    const bytes = encodeFrames(words.map((word) => rawFrame(1, 1, 0, Buffer.from(word))));
    reader.received(lent.subarray(0, bytes.copy(lent)), "lent");
    lent.fill(0xff);
  };
  lend("one", "two", "three", "four");
  // While a turn is given away: once behind a rest, once behind none.
  lend("five");
  await turns(3);
  lend("six", "seven");
  lend("eight");
  await turns(3);
  expect([texts, faults]).toEqual([["one", "two", "three", "four", "five", "six", "seven", "eight"], []]);
});

describe("pausing", () => {
  test("stops the link, and what has come is still handled", () => {
    reader.pause();
    reader.received(frames(1));
    expect([ids, flowing]).toEqual([[1], false]);
    reader.resume();
    expect(flowing).toBe(true);
  });

  test("outlasts a turn that is given away", async () => {
    reader.pause();
    reader.received(frames(1, 3, 5, 7));
    await turns(2);
    expect([ids, flowing]).toEqual([[1, 3, 5, 7], false]);
  });

  test("that ends while a turn is given away waits for that turn", async () => {
    reader.received(frames(1, 3, 5, 7));
    reader.pause();
    reader.resume();
    expect(flowing).toBe(false);
    await turns(2);
    expect([ids, flowing]).toEqual([[1, 3, 5, 7], true]);
  });

  test("leaves the link as it is after close", () => {
    reader.pause();
    reader.close();
    reader.resume();
    expect(flowing).toBe(false);
  });
});

describe("slow frames", () => {
  const half = encodeFrames([rawFrame(1, 1, 0, Buffer.alloc(50))]).subarray(0, 30);

  test("a frame must end within frameMs of its beginning, and not earlier", () => {
    reader.received(half.subarray(0, 1));
    clock.advance(900);
    reader.received(half.subarray(1));
    clock.advance(99);
    expect(faults).toEqual([]);
    clock.advance(9);
    expect(faults).toEqual(["a frame did not end within 1000 ms"]);
    expect([wheel.size, clock.pending]).toEqual([0, 0]);
  });

  test("one that ends in time is not late, and the next has its own time", () => {
    reader.received(half);
    clock.advance(900);
    reader.received(Buffer.concat([Buffer.alloc(30), half]));
    clock.advance(900);
    expect([faults, ids, wheel.size]).toEqual([[], [1], 1]);
    reader.received(Buffer.alloc(30));
    expect([ids, wheel.size]).toEqual([[1, 1], 0]);
  });

  test("one that is passed over is watched as well", () => {
    reader.received(encodeFrames([rawFrame(1, 1, 0)], 5000));
    expect([ids, wheel.size]).toEqual([[1], 1]);
    clock.advance(1008);
    expect(faults).toHaveLength(1);
  });

  test("one whose rest is not read is not late", () => {
    reader.received(half);
    reader.pause();
    clock.advance(60_000);
    expect(faults).toEqual([]);
    reader.resume();
    clock.advance(900);
    expect([faults, wheel.size]).toEqual([[], 1]);
    clock.advance(108);
    expect(faults).toHaveLength(1);
  });

  test("one that has ended is not late in a turn that is given away", async () => {
    reader.received(half);
    clock.advance(999);
    reader.received(Buffer.concat([Buffer.alloc(30), frames(3, 5, 7)]));
    clock.advance(5000);
    expect(faults).toEqual([]);
    await turns(2);
    expect([ids, wheel.size]).toEqual([[1, 3, 5, 7], 0]);
  });

  test("closing lets go of the timer", () => {
    reader.received(half);
    reader.close();
    expect(wheel.size).toBe(0);
  });
});

test("bytes that are no frames are named once", () => {
  reader.received(Buffer.concat([frames(1), unhex("ffffffff 00000003 01 00")]));
  reader.received(frames(5));
  expect(ids).toEqual([1]);
  expect(faults).toEqual(["a frame of 4294967295 bytes on stream 3 is none: lengths stay below 16 MiB"]);
});
