import { propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeFrame, FrameError, protocolMaxBytes, traceMaxBytes } from "./frame.js";
import { FrameDecoder } from "./frame-decoder.js";
import { frameBytes } from "./raw-peer.test.support.js";

interface Plain {
  readonly type: number;
  readonly trace: Buffer;
  readonly payload: Buffer;
}

function all(decoder: FrameDecoder): Plain[] {
  const frames: Plain[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    frames.push({ type: frame.type, trace: Buffer.from(frame.trace), payload: Buffer.from(frame.payload) });
  }
  return frames;
}

function head(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

describe("the decoder", () => {
  test("gives what was encoded, cut anywhere", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const frames = fc.array(fc.record({ type: fc.nat(0xffffffff), trace: bytes, payload: bytes }), { maxLength: 8 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(frames, cuts, (sent, sizes) => {
        const wire = Buffer.concat(sent.flatMap(({ type, trace, payload }) => encodeFrame(type, trace, payload)));
        const decoder = new FrameDecoder(protocolMaxBytes);
        const got: Plain[] = [];
        for (let at = 0, i = 0; at < wire.length; i++) {
          const size = sizes[i % sizes.length] as number;
          decoder.push(Buffer.from(wire.subarray(at, at + size)));
          at += size;
          got.push(...all(decoder));
        }
        expect(got).toEqual(
          sent.map(({ type, trace, payload }) => ({ type, trace: Buffer.from(trace), payload: Buffer.from(payload) })),
        );
        expect(decoder.size).toBe(0);
      }),
      { seed: propertySeed, numRuns: 1000 },
    );
  });

  test("a payload above what is copied is a piece of its own and the same bytes", () => {
    const payload = Buffer.alloc(100_000, 7);
    const pieces = encodeFrame(1, Buffer.from("t"), payload);
    expect(pieces).toHaveLength(2);
    expect(pieces[1]).toBe(payload);
    const decoder = new FrameDecoder(protocolMaxBytes);
    decoder.push(Buffer.concat(pieces));
    expect(all(decoder)).toEqual([{ type: 1, trace: Buffer.from("t"), payload }]);
  });

  test("frames given out stay as they are when more comes behind them", () => {
    const decoder = new FrameDecoder(protocolMaxBytes);
    const [a, b, c] = ["aaaa", "bbbb", "cccc"].map((text) => frameBytes(1, text)) as [Buffer, Buffer, Buffer];
    decoder.push(a.subarray(0, 3));
    decoder.push(Buffer.concat([a.subarray(3), b.subarray(0, 9)]));
    const first = decoder.next();
    decoder.push(b.subarray(9));
    decoder.push(c);
    const second = decoder.next();
    decoder.next();
    decoder.push(frameBytes(1, "dddd"));
    expect(Buffer.from(first?.payload ?? []).toString()).toBe("aaaa");
    expect(Buffer.from(second?.payload ?? []).toString()).toBe("bbbb");
  });

  test.each([0, 1, 5])("refuses a length of %d before a body comes", (length) => {
    const decoder = new FrameDecoder(protocolMaxBytes);
    decoder.push(head(length));
    expect(() => decoder.next()).toThrow(
      new FrameError(`a frame of ${length} bytes came; its number and trace length take 6`),
    );
  });

  test("takes the limit, and refuses one byte more by its length alone", () => {
    const limit = 100;
    const fits = new FrameDecoder(limit);
    fits.push(frameBytes(1, Buffer.alloc(limit - 6)));
    expect(all(fits)).toHaveLength(1);
    const over = new FrameDecoder(limit);
    over.push(head(limit + 1));
    expect(() => over.next()).toThrow(expect.objectContaining({ oversize: true }) as Error);
    const most = new FrameDecoder(protocolMaxBytes);
    most.push(head(0xffff_ffff));
    expect(() => most.next()).toThrow("a frame of 4294967295 bytes came, over the limit of 16777216");
  });

  test("reads a trace that is longer than the body as no trace and no payload", () => {
    const bytes = frameBytes(0x31, "payload");
    bytes.writeUInt16BE(8, 8);
    const decoder = new FrameDecoder(protocolMaxBytes);
    decoder.push(bytes);
    expect(all(decoder)).toEqual([{ type: 0x31, trace: Buffer.alloc(0), payload: Buffer.alloc(0) }]);
  });

  test("reads a trace that is the whole body", () => {
    const decoder = new FrameDecoder(protocolMaxBytes);
    decoder.push(frameBytes(1, "", "t".repeat(traceMaxBytes)));
    expect(decoder.next()?.trace).toHaveLength(traceMaxBytes);
  });

  test("knows whether a part of a frame waits", () => {
    const decoder = new FrameDecoder(protocolMaxBytes);
    const bytes = frameBytes(1, "x");
    const seen = [decoder.partial];
    for (const byte of bytes) {
      decoder.push(Buffer.from([byte]));
      seen.push(decoder.partial);
    }
    expect(seen).toEqual([false, ...Array(bytes.length - 1).fill(true), false]);
  });

  test("one byte at a time, a megabyte is copied a few times and not a million times", () => {
    const decoder = new FrameDecoder(protocolMaxBytes);
    const wire = frameBytes(1, Buffer.alloc(1 << 20, 1));
    for (let at = 0; at < wire.length; at++) decoder.push(wire.subarray(at, at + 1));
    expect(decoder.next()?.payload).toHaveLength(1 << 20);
  });
});
