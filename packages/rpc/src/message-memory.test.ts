// Memory of messages that is given back: what becomes of it, and what is left alone.
import { expect, test } from "vitest";
import { Sink } from "./codec/sink.js";
import { isReleasable, releaseBytes, takeMemory } from "./message-memory.js";

// Each test has a size of its own, as what one leaves is there for the others.
const filled = (size: number, value: number): Buffer => takeMemory(size).fill(value);

test("what was given back is used again, and nobody can reach it under its old name", () => {
  const message = filled(20_000, 1);
  const field = new Uint8Array(message.buffer, 10, 15_000);
  releaseBytes(field);
  expect([field.length, message.length]).toEqual([0, 0]);
  const next = takeMemory(20_000);
  expect([next.length, next.every((byte) => byte === 1), isReleasable(next)]).toEqual([20_000, true, true]);
});

test("it is used for sizes from four fifths of its own on, as codecs take views of fields only where they fill their memory", () => {
  releaseBytes(filled(125_000, 2));
  const cases = [125_001, 99_999, 100_000].map((size) => [size, takeMemory(size)] as const);
  expect(cases.map(([size, { length, buffer }]) => [size, length, buffer.byteLength])).toEqual([
    [125_001, 125_001, 125_001],
    [99_999, 99_999, 99_999],
    [100_000, 100_000, 125_000],
  ]);
  expect(cases[2]?.[1].every((byte) => byte === 2)).toBe(true);
});

test("the newest comes first, and no more than 16 MiB wait", () => {
  const size = 4 << 20;
  const messages = [1, 2, 3, 4, 5].map((value) => filled(size, value));
  for (const message of messages) releaseBytes(message);
  expect([1, 2, 3, 4].map(() => takeMemory(size)[0])).toEqual([5, 4, 3, 2]);
  // The first one had to go.
  const more = filled(size, 9);
  releaseBytes(more);
  expect(takeMemory(size)[0]).toBe(9);
  const huge = filled(17 << 20, 1);
  releaseBytes(huge);
  expect(huge.length).toBe(0);
});

test("giving the same bytes back again does nothing", () => {
  const message = filled(30_000, 3);
  const field = message.subarray(5);
  releaseBytes(message);
  releaseBytes(message);
  releaseBytes(field);
  const [once, twice] = [takeMemory(30_000), takeMemory(30_000)];
  expect(once.buffer).not.toBe(twice.buffer);
  once.fill(7);
  twice.fill(8);
  expect([once[0], twice[0]]).toEqual([7, 8]);
});

test("a field that is a copy is left alone, as are other small ones", () => {
  const message = filled(50_000, 4);
  for (const length of [0, 1, 64, 4095]) releaseBytes(message.subarray(0, length));
  expect(message.length).toBe(50_000);
  releaseBytes(message.subarray(0, 4096));
  expect(message.length).toBe(0);
});

test("bytes from elsewhere stay as they are", () => {
  // Of Node's own pool, which all small Buffers share.
  const pooled = Buffer.from("in a pool");
  const own = new Uint8Array(50_000).fill(4);
  const shared = new Uint8Array(new SharedArrayBuffer(50_000)).fill(5);
  for (const bytes of [pooled, own, shared]) releaseBytes(bytes);
  expect([pooled.toString(), own[49_999], shared[49_999]]).toEqual(["in a pool", 4, 5]);
});

test("bytes that were given to a call to send keep their memory, for as long as anybody has them", () => {
  const message = filled(40_000, 6);
  new Sink().raw(message.subarray(100));
  expect(isReleasable(message)).toBe(false);
  releaseBytes(message);
  expect([message.length, message[0]]).toEqual([40_000, 6]);
});

test.each([undefined, null, "text", {}, new ArrayBuffer(8)])("%o is refused", (bytes) => {
  expect(() => releaseBytes(bytes as never)).toThrowError(TypeError);
});
