// The memory that outputs write into: shared by all connections, and whole again whatever becomes of one of them.
import { attachBytes } from "@guestwire/rpc/codec";
import { decodeFrames, FakeClock, type RawFrame, rawFrame } from "@guestwire/testkit";
import { afterEach, expect, test } from "vitest";
import type { Link } from "./link.js";
import { Output } from "./output.js";

const slab = 64 * 1024;
const piece = 1024;
/** As many slabs as there are ever kept. */
const pooled = 64;
const clock = new FakeClock();

/** An output over a link that writes down what it gets. `keeps`: as a socket whose buffer is full. */
function make(keeps = false) {
  const memory: Uint8Array[] = [];
  const bytes: Buffer[] = [];
  const take = (pieces: readonly Uint8Array[]): void => {
    memory.push(...pieces);
    bytes.push(Buffer.concat(pieces));
  };
  const link: Link = {
    peer: { kind: "note", address: "note:" },
    queuedBytes: 0,
    write(written) {
      take([written]);
      return !keeps;
    },
    writeAll: take,
    start() {},
    pause() {},
    resume() {},
    end() {},
    destroy() {},
  };
  const output = new Output(link, clock);
  const frames = (): RawFrame[] => decodeFrames(Buffer.concat(bytes)).frames;
  return { output, memory, frames };
}

function send(output: Output, id: number, data: string): void {
  output.beginFrame(id, 3, 0);
  output.raw(Buffer.from(data));
  output.endFrame();
}

/** So many outputs with a frame begun on each, as when as many connections send in the same turn. */
function begun(count: number, keeps = false) {
  const all = Array.from({ length: count }, () => make(keeps));
  for (const { output } of all) output.beginFrame(1, 3, 0);
  return all;
}

const sizes = (all: ReturnType<typeof begun>): number[] => all.map(({ output }) => output.buffer.length);
const due = [...Array(pooled).fill(slab), ...Array(6).fill(piece)];

// Whatever a test does, all slabs are there again afterwards, and no more than those.
afterEach(() => {
  for (let round = 0; round < 2; round++) {
    const all = begun(pooled + 6);
    expect(sizes(all)).toEqual(due);
    for (const { output } of all) output.dropFrame();
  }
});

test("connections that are written to after their end leave the memory to others", () => {
  for (let i = 0; i < 100; i++) {
    const { output, frames } = make();
    send(output, 1, "before");
    if (i % 2 === 0) output.beginFrame(3, 3, 0);
    output.shut();
    if (i % 2 === 0) output.endFrame();
    send(output, 5, "after");
    output.beginFrame(7, 3, 0);
    output.dropFrame();
    output.flush();
    expect([output.buffer.length, output.queuedBytes, frames()]).toEqual([0, 0, []]);
  }
  const { output, memory, frames } = make();
  for (const id of [1, 3]) {
    send(output, id, "a");
    expect(output.buffer.length).toBe(slab);
    output.flush();
  }
  const [first, second] = memory;
  expect(first?.buffer).toBe(second?.buffer);
  expect(first?.byteOffset).toBe(second?.byteOffset);
  expect(frames()).toEqual([rawFrame(1, 3, 0, "61"), rawFrame(3, 3, 0, "61")]);
});

test.each([100, 4000])("a frame that was begun and dropped leaves no memory behind: %d bytes, 40 times", (size) => {
  const { output, frames } = make();
  output.beginFrame(1, 3, 0);
  for (let i = 0; i < 40; i++) output.raw(Buffer.alloc(size));
  output.dropFrame();
  expect([output.buffer.length, output.queuedBytes]).toEqual([0, 0]);
  // Those in front of it in the same turn go all the same.
  send(output, 3, "a");
  output.beginFrame(5, 3, 0);
  for (let i = 0; i < 40; i++) output.raw(Buffer.alloc(size));
  output.dropFrame();
  output.flush();
  expect(frames()).toEqual([rawFrame(3, 3, 0, "61")]);
  expect(output.buffer.length).toBe(0);
});

test("more connections in one turn than there are slabs get small pieces, which grow", () => {
  const all = begun(pooled + 6);
  expect(sizes(all)).toEqual(due);
  const parts = Array.from({ length: 400 }, (_, i) => Buffer.alloc(100, i));
  const grown = all.slice(-3);
  for (const { output } of grown) for (const part of parts) output.raw(part);
  // By doubling, a piece becomes as large as a slab.
  expect(sizes(grown)).toEqual([slab, slab, slab]);
  for (const { output } of all.toReversed()) {
    output.endFrame();
    output.flush();
  }
  const data = Buffer.concat(parts);
  for (const one of all) expect(one.frames()).toEqual([rawFrame(1, 3, 0, grown.includes(one) ? data : "")]);
  expect(sizes(all)).toEqual(all.map(() => 0));
});

test("memory that the link keeps is made anew for others", () => {
  const kept = begun(pooled + 6, true);
  for (const { output } of kept) {
    output.endFrame();
    output.flush();
  }
  for (const { frames } of kept) expect(frames()).toEqual([rawFrame(1, 3, 0)]);
});

test.each([
  ["little", 1],
  ["much", 5],
])("so is what lies around attached bytes: %s of it", (_, times) => {
  const around = Buffer.alloc(2000 * times, 1);
  const attached = Buffer.alloc(attachBytes, 2);
  for (let i = 0; i < pooled + 6; i++) {
    const { output, frames } = make();
    output.beginFrame(1, 3, 0);
    for (let at = 0; at < around.length; at += 2000) output.raw(around.subarray(at, at + 2000));
    output.raw(attached);
    output.endFrame();
    output.flush();
    expect(frames()).toEqual([rawFrame(1, 3, 0, Buffer.concat([around, attached]))]);
  }
});

test("a frame that outgrows its slab gives it back", () => {
  const all = begun(pooled);
  for (const { output } of all) {
    for (let i = 0; i < 40; i++) output.raw(Buffer.alloc(2000, i));
    output.endFrame();
    output.flush();
  }
  for (const { frames } of all) expect(frames()[0]?.data).toHaveLength(80_000);
});
