// Holds the frame decoder against an independent encoder, under any cutting of the bytes.
import { decodeFrames, encodeFrames, propertySeed, type RawFrame, rawFrame, unhex } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameDecoder, FrameError, headerBytes, protocolMaxBytes, writeHeader } from "./frame.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

interface Seen extends RawFrame {
  readonly oversize: number;
}

/** Takes all frames that a decoder has now. */
function drain(decoder: FrameDecoder): Seen[] {
  const seen: Seen[] = [];
  while (decoder.next()) {
    const { id, type, flags, oversize, buffer, start, end } = decoder;
    seen.push({ id, type, flags, oversize, data: Buffer.from(buffer.subarray(start, end)) });
  }
  return seen;
}

function decodeAll(chunks: readonly Buffer[], limit?: number): Seen[] {
  const decoder = new FrameDecoder(limit);
  return chunks.flatMap((chunk) => {
    decoder.push(Buffer.from(chunk));
    return drain(decoder);
  });
}

/** Cuts bytes at these offsets. */
function cut(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const places = [0, ...[...offsets].sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to));
}

const two = [rawFrame(1, 1, 0, Buffer.from("hello")), rawFrame(0xffff_ffff, 3, 0xff, Buffer.from("you"))];

const frames = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 0xffff_ffff }),
    type: fc.nat({ max: 255 }),
    flags: fc.nat({ max: 255 }),
    data: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

describe("writeHeader", () => {
  test("writes big-endian numbers at the offset and nothing else", () => {
    const out = Buffer.alloc(12, 0xee);
    writeHeader(out, 1, 0x123456, 0x89ab_cdef, 2, 7);
    expect(out.toString("hex")).toBe("ee0012345689abcdef0207ee");
  });

  test("is read back by an independent reader", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.nat({ max: 255 }),
        fc.nat({ max: 255 }),
        (id, type, flags) => {
          const out = Buffer.alloc(headerBytes);
          writeHeader(out, 0, 0, id, type, flags);
          expect(decodeFrames(out).frames).toEqual([rawFrame(id, type, flags)]);
        },
      ),
    );
  });
});

describe("FrameDecoder", () => {
  test("needs more bytes at first and is not in a frame", () => {
    const decoder = new FrameDecoder();
    expect(decoder.next()).toBe(false);
    expect(decoder.midFrame).toBe(false);
  });

  test("reads a frame whose data is a view of the chunk", () => {
    const decoder = new FrameDecoder();
    const chunk = encodeFrames(two);
    decoder.push(chunk);
    expect(decoder.next()).toBe(true);
    expect(decoder.buffer).toBe(chunk);
    expect([decoder.start, decoder.end]).toEqual([10, 15]);
  });

  test.each(Array.from({ length: 29 }, (_, at) => at))("reads two frames cut at byte %i", (at) => {
    const bytes = encodeFrames(two);
    expect(bytes.length).toBe(28);
    expect(decodeAll(cut(bytes, [at]))).toEqual(two.map((frame) => ({ ...frame, oversize: 0 })));
  });

  test("reads frames byte by byte", () => {
    const bytes = encodeFrames(two);
    expect(decodeAll([...bytes].map((byte) => Buffer.from([byte])))).toHaveLength(2);
  });

  test("reads many frames of one chunk", () => {
    const many = Array.from({ length: 5000 }, (_, i) => rawFrame(i, i & 255, 0, Buffer.from([i & 255])));
    expect(decodeAll([encodeFrames(many)]).map(({ id }) => id)).toEqual(many.map(({ id }) => id));
  });

  test("gives what was encoded, however it is cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat({ max: 900 }), { maxLength: 30 }), (given, offsets) => {
        const bytes = encodeFrames(given);
        const chunks = cut(
          bytes,
          offsets.map((offset) => Math.min(offset, bytes.length)),
        );
        expect(decodeAll(chunks)).toEqual(given.map((frame) => ({ ...frame, oversize: 0 })));
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps the order of chunks that are pushed while frames of earlier ones still wait", () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.nat({ max: 900 }), { maxLength: 30 }),
        fc.array(fc.boolean()),
        (given, offsets, takes) => {
          const bytes = encodeFrames(given);
          const chunks = cut(
            bytes,
            offsets.map((offset) => Math.min(offset, bytes.length)),
          );
          const decoder = new FrameDecoder();
          const seen: RawFrame[] = [];
          const take = (): boolean => {
            if (!decoder.next()) return false;
            const { id, type, flags, buffer, start, end } = decoder;
            seen.push({ id, type, flags, data: Buffer.from(buffer.subarray(start, end)) });
            return true;
          };
          for (const [i, chunk] of chunks.entries()) {
            decoder.push(chunk);
            if (takes[i % Math.max(1, takes.length)]) take();
          }
          while (take());
          expect(seen).toEqual(given);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("keeps the order where a chunk is pushed after the last frame of the one before a waiting one", () => {
    const [a, b, c, d] = [1, 3, 5, 7].map((id) => encodeFrames([rawFrame(id, 1, 0)])) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    const decoder = new FrameDecoder();
    decoder.push(Buffer.concat([a, b]));
    expect([decoder.next(), decoder.id]).toEqual([true, 1]);
    decoder.push(c);
    expect([decoder.next(), decoder.id]).toEqual([true, 3]);
    decoder.push(d);
    expect(drain(decoder).map(({ id }) => id)).toEqual([5, 7]);
  });

  test("takes any bytes for frames or one FrameError, and never for more than it got", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }), (chunks) => {
        try {
          const seen = decodeAll(
            chunks.map((chunk) => Buffer.from(chunk)),
            64,
          );
          const total = chunks.reduce((sum, { length }) => sum + length, 0);
          expect(seen.reduce((sum, { data }) => sum + data.length + headerBytes, 0)).toBeLessThanOrEqual(total);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("says whether the bytes end inside of a frame", () => {
    const bytes = encodeFrames([rawFrame(1, 1, 0, Buffer.from("hello"))]);
    for (let at = 0; at <= bytes.length; at++) {
      const decoder = new FrameDecoder();
      decoder.push(bytes.subarray(0, at));
      drain(decoder);
      expect([at, decoder.midFrame]).toEqual([at, at > 0 && at < bytes.length]);
    }
  });

  test("frames of lent memory are the same, and large ones are kept when it is written to", () => {
    const sizes = fc.array(fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 40_000 }), fc.nat({ max: 300_000 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 200_000 }), (given, most) => {
        const bytes = encodeFrames(given.map((size, i) => rawFrame(i, 3, 0, Buffer.alloc(size, i + 1))));
        const lent = Buffer.alloc(200_000);
        const decoder = new FrameDecoder();
        const large: Buffer[] = [];
        const seen: number[] = [];
        for (let at = 0; at < bytes.length; ) {
          // As a socket does: straight to where it is wanted, and otherwise into memory that is used again and again.
          const memory = decoder.wanted ?? lent.subarray(0, most);
          const chunk = memory.subarray(0, bytes.copy(memory, 0, at));
          at += chunk.length;
          decoder.push(chunk, "lent");
          while (decoder.next()) {
            const { id, buffer, start, end } = decoder;
            const data = buffer.subarray(start, end);
            expect(data.equals(Buffer.alloc(given[id] as number, id + 1))).toBe(true);
            seen.push(id);
            if (data.length >= 16 * 1024) large.push(data);
            else expect(data.length * 4).toBeLessThan(lent.length);
          }
          lent.fill(0xff);
        }
        expect(seen).toEqual(given.map((_, i) => i));
        const kept = given.flatMap((size, i) => (size >= 16 * 1024 ? [Buffer.alloc(size, i + 1)] : []));
        expect(Buffer.concat(large).equals(Buffer.concat(kept))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("frees chunks of its own once they are copied, and no others", () => {
    const bytes = encodeFrames([rawFrame(1, 3, 0, Buffer.alloc(1000, 7)), rawFrame(3, 3, 0, Buffer.alloc(5, 8))]);
    const chunksOf = (memory: "own" | "shared"): Buffer[] => {
      const chunks = cut(bytes, [300, 600]).map((part) => Buffer.from(Uint8Array.from(part).buffer));
      const decoder = new FrameDecoder();
      const seen = chunks.flatMap((chunk) => {
        decoder.push(chunk, memory);
        return drain(decoder);
      });
      expect(seen.map(({ data }) => data)).toEqual([Buffer.alloc(1000, 7), Buffer.alloc(5, 8)]);
      return chunks;
    };
    // The first holds the header, the last one a frame that is a view of it.
    expect(chunksOf("own").map(({ length }) => length)).toEqual([300, 0, 425]);
    expect(chunksOf("shared").map(({ length }) => length)).toEqual([300, 300, 425]);
  });

  test("lets go of the chunk when all of it is read", () => {
    const decoder = new FrameDecoder();
    decoder.push(encodeFrames(two));
    drain(decoder);
    expect(decoder.buffer).toHaveLength(0);
  });
});

describe("a frame over the limit", () => {
  test.each([
    ["bound - 1", 63, 0],
    ["bound", 64, 0],
    ["bound + 1", 65, 65],
  ])("%s", (_, size, oversize) => {
    const [first, second] = decodeAll([encodeFrames([rawFrame(1, 1, 0, Buffer.alloc(size)), rawFrame(3, 1, 0)])], 64);
    expect(first?.oversize).toBe(oversize);
    expect(first?.data).toHaveLength(oversize > 0 ? 0 : size);
    expect(second).toMatchObject({ id: 3, oversize: 0 });
  });

  test("4 MiB exactly is served, one byte more is announced and passed over", () => {
    const most = rawFrame(5, 2, 0, Buffer.alloc(protocolMaxBytes, 7));
    const [whole] = decodeAll([encodeFrames([most])]);
    expect([whole?.oversize, whole?.data.equals(most.data)]).toEqual([0, true]);
    const more = encodeFrames([rawFrame(5, 2, 0, Buffer.alloc(protocolMaxBytes + 1)), rawFrame(7, 3, 5)]);
    const seen = decodeAll(cut(more, [3, 11, 1000, 70_000, more.length - 12, more.length - 10, more.length - 1]));
    expect(seen.map(({ id, oversize }) => [id, oversize])).toEqual([
      [5, protocolMaxBytes + 1],
      [7, 0],
    ]);
  });

  test("is announced before its data has come", () => {
    const decoder = new FrameDecoder(64);
    decoder.push(encodeFrames([rawFrame(9, 3, 2)], 1000));
    expect(decoder.next()).toBe(true);
    expect(decoder).toMatchObject({ id: 9, type: 3, flags: 2, oversize: 1000, start: 0, end: 0, midFrame: true });
    expect(decoder.next()).toBe(false);
    decoder.push(Buffer.alloc(999));
    expect(decoder.next()).toBe(false);
    expect(decoder.midFrame).toBe(true);
    decoder.push(Buffer.concat([Buffer.alloc(1), encodeFrames([rawFrame(11, 1, 0, "0a00")])]));
    expect(drain(decoder)).toEqual([{ ...rawFrame(11, 1, 0, "0a00"), oversize: 0 }]);
    expect(decoder.midFrame).toBe(false);
  });

  test("costs no memory", () => {
    const decoder = new FrameDecoder();
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(encodeFrames([rawFrame(1, 1, 0)], 0xff_ffff));
    drain(decoder);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  test.each(["01000000", "7fffffff", "80000000", "ffffffff"])("length %s is no frame's", (length) => {
    const decoder = new FrameDecoder();
    decoder.push(unhex(`${length} 00000001 01 00`));
    expect(() => decoder.next()).toThrow(FrameError);
    expect(() => decoder.push(Buffer.alloc(0))).not.toThrow();
  });

  test("the error names the length and the stream", () => {
    const decoder = new FrameDecoder();
    decoder.push(unhex("80000000 00000007 01 00"));
    expect(() => decoder.next()).toThrow(/^a frame of 2147483648 bytes on stream 7 is none/);
    expect(new FrameError("x").name).toBe("FrameError");
  });

  test("16 MiB less one byte is passed over, not refused", () => {
    expect(decodeAll([encodeFrames([rawFrame(1, 1, 0)], 0xff_ffff)])[0]?.oversize).toBe(0xff_ffff);
  });
});

test("a 4 MiB frame that drips in takes no more than linear time", () => {
  // With concatenation at every chunk this takes 20 s; copying into place takes some 10 ms.
  const decoder = new FrameDecoder();
  const piece = Buffer.alloc(256);
  decoder.push(encodeFrames([rawFrame(1, 3, 0)], protocolMaxBytes));
  let whole = false;
  for (let sent = 0; sent < protocolMaxBytes; sent += piece.length) {
    decoder.push(piece);
    whole = decoder.next();
  }
  expect(whole).toBe(true);
  expect(decoder.end - decoder.start).toBe(protocolMaxBytes);
});
