// What leaves in which write, and who waits for room.
import { attachBytes } from "@guestwire/rpc/codec";
import { decodeFrames, encodeFrames, type RawFrame, rawFrame } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import type { Clock, Link } from "./link.js";
import { Output } from "./output.js";

/** Time stands still; what is put off runs when the test says so. */
class HandClock implements Clock {
  readonly tasks: (() => void)[] = [];
  now(): number {
    return 0;
  }
  after(): { cancel(): void } {
    throw new Error("output needs no timers");
  }
  soon(task: () => void): void {
    this.tasks.push(task);
  }
  later(task: () => void): void {
    this.tasks.push(task);
  }
  turn(): void {
    for (const task of this.tasks.splice(0)) task();
  }
}

/** A link that writes down what it gets. `keeps`: as a socket whose buffer is full. */
class NoteLink implements Link {
  readonly peer = { kind: "note", address: "note:" };
  readonly writes: Buffer[] = [];
  readonly memory: Uint8Array[] = [];
  keeps = false;
  queuedBytes = 0;
  onWrite: (() => void) | undefined;

  write(bytes: Buffer): boolean {
    this.#take([bytes]);
    return !this.keeps;
  }
  writeAll(pieces: readonly Uint8Array[]): void {
    this.#take(pieces);
  }
  start(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}

  get frames(): RawFrame[] {
    const { frames, rest } = decodeFrames(Buffer.concat(this.writes));
    expect(rest).toHaveLength(0);
    return frames;
  }

  #take(pieces: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(pieces);
    this.writes.push(bytes);
    this.memory.push(...pieces);
    if (this.keeps) this.queuedBytes += bytes.length;
    this.onWrite?.();
  }
}

function make(room?: () => void) {
  const [clock, link] = [new HandClock(), new NoteLink()];
  return { clock, link, output: new Output(link, clock, room) };
}

function send(output: Output, id: number, data: Uint8Array): void {
  output.beginFrame(id, 3, 0);
  output.raw(data);
  output.endFrame();
}

const memoryOf = (piece: Uint8Array | undefined): ArrayBufferLike | undefined => piece?.buffer;

describe("Output", () => {
  test("sends all frames of a turn in one write", () => {
    const { clock, link, output } = make();
    output.emptyFrame(1, 3, 5);
    send(output, 3, Buffer.from("abc"));
    expect([link.writes.length, output.queuedBytes, clock.tasks.length]).toEqual([0, 23, 1]);
    clock.turn();
    expect(link.writes).toHaveLength(1);
    expect(link.frames).toEqual([rawFrame(1, 3, 5), rawFrame(3, 3, 0, Buffer.from("abc"))]);
    expect(output.queuedBytes).toBe(0);
  });

  test("writes nothing in a turn in which nothing was sent", () => {
    const { clock, link, output } = make();
    output.flush();
    output.emptyFrame(1, 3, 5);
    output.flush();
    clock.turn();
    expect(link.writes).toHaveLength(1);
  });

  test("begins to send before the turn's end: 4 KiB, then twice as much each time, up to 64 KiB; anew in each turn", () => {
    const { clock, link, output } = make();
    const sizes = (): number[] => link.writes.map(({ length }) => length / 1024);
    // With its header each frame is half a KiB.
    for (let i = 0; i < 7; i++) send(output, 1, Buffer.alloc(502));
    expect(sizes()).toEqual([]);
    for (let i = 0; i < 500; i++) send(output, 1, Buffer.alloc(502));
    expect(sizes()).toEqual([4, 8, 16, 32, 64, 64, 64]);
    clock.turn();
    expect(sizes()).toEqual([4, 8, 16, 32, 64, 64, 64, 1.5]);
    for (let i = 0; i < 8; i++) send(output, 1, Buffer.alloc(502));
    expect(sizes().at(-1)).toBe(4);
    clock.turn();
    expect([link.writes.length, link.frames.length]).toEqual([9, 515]);
  });

  test("waits for the turn's end, or for 64 KiB, while the system has not taken what was sent", () => {
    const { clock, link, output } = make();
    link.keeps = true;
    for (let i = 0; i < 8 + 127; i++) send(output, 1, Buffer.alloc(502));
    expect(link.writes.map(({ length }) => length)).toEqual([4096]);
    send(output, 1, Buffer.alloc(502));
    expect(link.writes.map(({ length }) => length)).toEqual([4096, 65536]);
    send(output, 1, Buffer.alloc(502));
    clock.turn();
    expect(link.writes.map(({ length }) => length)).toEqual([4096, 65536, 512]);
  });

  test("uses its memory again where the link has let go of it, and not where it has not", () => {
    const { link, output } = make();
    output.emptyFrame(1, 3, 0);
    output.flush();
    link.keeps = true;
    output.emptyFrame(3, 3, 0);
    output.flush();
    output.emptyFrame(5, 3, 0);
    output.flush();
    const [first, second, third] = link.memory.map(memoryOf);
    expect([first === second, second === third]).toEqual([true, false]);
    expect(link.frames.map(({ id }) => id)).toEqual([1, 3, 5]);
  });

  test("holds no memory between turns, and none of a connection's is another's while in use", () => {
    const [a, b] = [make(), make()];
    send(a.output, 1, Buffer.from("a"));
    send(b.output, 1, Buffer.from("b"));
    expect(a.output.buffer.buffer).not.toBe(b.output.buffer.buffer);
    a.clock.turn();
    b.clock.turn();
    expect([a.output.buffer.length, b.output.buffer.length]).toEqual([0, 0]);
    expect([a.link.frames, b.link.frames]).toEqual([[rawFrame(1, 3, 0, "61")], [rawFrame(1, 3, 0, "62")]]);
  });

  test("grows for a frame that is larger than its memory", () => {
    const { link, output } = make();
    output.beginFrame(1, 3, 0);
    for (let i = 0; i < 100; i++) output.raw(Buffer.alloc(4000, i));
    expect(output.frameBytes).toBe(400_000);
    output.endFrame();
    expect(
      link.frames[0]?.data.equals(Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(4000, i)))),
    ).toBe(true);
  });

  test("attaches large bytes without copying them, in their place", () => {
    const { clock, link, output } = make();
    const [large, other] = [Buffer.alloc(attachBytes, 1), Buffer.alloc(attachBytes + 1, 2)];
    send(output, 1, Buffer.from("a"));
    output.beginFrame(3, 3, 0);
    output.raw(Buffer.from("b"));
    output.raw(large);
    output.raw(Buffer.from("c"));
    output.raw(other);
    expect(output.frameBytes).toBe(2 + large.length + other.length);
    expect(output.queuedBytes).toBe(20 + 3 + large.length + other.length);
    output.endFrame();
    send(output, 5, Buffer.from("d"));
    clock.turn();
    expect(link.memory).toContain(large);
    expect(link.memory).toContain(other);
    const data = Buffer.concat([Buffer.from("b"), large, Buffer.from("c"), other]);
    const frames = [rawFrame(1, 3, 0, "61"), rawFrame(3, 3, 0, data), rawFrame(5, 3, 0, "64")];
    expect(Buffer.concat(link.writes).equals(encodeFrames(frames))).toBe(true);
    expect([output.queuedBytes, output.attachments.length]).toEqual([0, 0]);
  });

  test("takes back a frame with its attachments, and nothing before it", () => {
    const { clock, link, output } = make();
    const large = Buffer.alloc(attachBytes);
    send(output, 1, large);
    output.beginFrame(3, 3, 0);
    output.raw(large);
    output.raw(Buffer.alloc(10));
    output.dropFrame();
    send(output, 5, Buffer.from("x"));
    clock.turn();
    expect(link.frames.map(({ id, data }) => [id, data.length])).toEqual([
      [1, attachBytes],
      [5, 1],
    ]);
  });

  test("frames that are sent while the link writes are not lost", () => {
    const { clock, link, output } = make();
    link.onWrite = () => {
      link.onWrite = undefined;
      send(output, 3, Buffer.alloc(attachBytes, 3));
      output.emptyFrame(5, 3, 0);
    };
    output.emptyFrame(1, 3, 0);
    clock.turn();
    clock.turn();
    expect(link.frames.map(({ id }) => id)).toEqual([1, 3, 5]);
  });
});

describe("waiting for room", () => {
  test("is over at once where there is room", () => {
    const { output } = make();
    let called = 0;
    output.emptyFrame(1, 3, 0);
    output.whenBelow(10, () => void called++);
    expect(called).toBe(1);
    output.whenBelow(9, () => void called++);
    expect(called).toBe(1);
  });

  test("is over when the link says so", () => {
    const { clock, link, output } = make();
    link.keeps = true;
    let called = 0;
    output.emptyFrame(1, 3, 0);
    output.whenBelow(0, () => void called++);
    clock.turn();
    expect([called, output.queuedBytes]).toEqual([0, 10]);
    link.queuedBytes = 0;
    output.drained();
    output.drained();
    expect(called).toBe(1);
  });

  test("is over when the link has taken everything at once and will say nothing", () => {
    let room = 0;
    const { clock, output } = make(() => void room++);
    let called = 0;
    output.emptyFrame(1, 3, 0);
    output.whenBelow(0, () => void called++);
    clock.turn();
    expect([called, room]).toEqual([1, 1]);
  });

  test("is over when the connection is", () => {
    const { clock, link, output } = make();
    let called = 0;
    output.emptyFrame(1, 3, 0);
    output.whenBelow(0, () => void called++);
    output.shut();
    expect([called, output.queuedBytes]).toEqual([1, 0]);
    output.whenBelow(0, () => void called++);
    expect(called).toBe(2);
    send(output, 3, Buffer.alloc(attachBytes));
    output.flush();
    clock.turn();
    expect([link.writes.length, output.queuedBytes]).toEqual([0, 0]);
  });
});
