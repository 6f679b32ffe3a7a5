// ttrpc's frame decoder, against the plainest reading of the same bytes.
import { FrameDecoder, FrameError } from "../../../../ttrpc/src/frame.js";
import { encodeFrames, rawFrame, unhex } from "../../frames.js";
import { plainFrames } from "../plain-frames.js";
import { check, type FuzzTarget } from "../target.js";

/** Frames to begin with, as two ends send them. */
export const sampleFrames: readonly Buffer[] = [
  encodeFrames([rawFrame(1, 1, 0, "0a03742e5312014d1a040a02696e"), rawFrame(1, 2, 0, "0a00")]),
  encodeFrames([rawFrame(3, 1, 6, "0a03742e531202 5354"), rawFrame(3, 3, 0, "0a0178"), rawFrame(3, 3, 5)]),
  encodeFrames([rawFrame(5, 3, 0, Buffer.alloc(40, 7))], 1001).subarray(0, 40),
  unhex("00000000 00000000 0000 00fffff0 00000001 0200"),
];

const limits = [0x10, 100, 1000, 0xffff] as const;

export const frame: FuzzTarget = {
  name: "frame",
  checks: "FrameDecoder gives what a plain reader gives, however the bytes are cut, or one FrameError",
  seeds: sampleFrames.map((bytes) => Buffer.concat([unhex("020713"), bytes])),
  dictionary: [unhex("01000000"), unhex("00400001"), unhex("000003e9"), unhex("00000000")],
  maxBytes: 1024,
  run(input) {
    if (input.length < 3) return;
    const [choice, cut, every] = input as unknown as [number, number, number];
    const limit = limits[choice & 3] as number;
    const bytes = Buffer.from(input.subarray(3));
    const plain = plainFrames(bytes, limit);
    const decoder = new FrameDecoder(limit);
    let count = 0;
    let failed = false;
    // Takes not always all: more bytes may come while frames of earlier ones wait.
    const drain = (most: number): void => {
      try {
        for (let taken = 0; taken < most && decoder.next(); taken++) {
          const wanted = plain.frames[count++];
          check(wanted !== undefined, () => `frame ${count} is none`);
          const { id, type, flags, oversize, start, end, buffer } = decoder;
          const same = id === wanted.id && type === wanted.type && flags === wanted.flags;
          check(same && oversize === wanted.oversize, () => `frame ${count} has another header`);
          check(buffer.subarray(start, end).equals(wanted.data), () => `frame ${count} has other data`);
          check(buffer.length <= Math.max(limit, bytes.length), () => `frame ${count} holds ${buffer.length} bytes`);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        failed = true;
      }
    };
    for (let at = 0, pushes = 1; at < bytes.length && !failed; pushes++) {
      const size = 1 + (((cut & 0x3f) * pushes) % 61);
      // A chunk of its own, as it comes from a socket: nothing behind it may be looked at.
      decoder.push(Buffer.from(bytes.subarray(at, at + size)));
      at += size;
      if (pushes % (1 + (every & 3)) === 0) drain(every < 0x80 ? 1 + ((every >> 2) & 3) : bytes.length);
    }
    if (!failed) drain(bytes.length);
    check(failed === plain.broken, () => `${failed ? "refused" : "took"} what a plain reader did not`);
    check(count === plain.frames.length, () => `${count} frames instead of ${plain.frames.length}`);
    if (!failed) check(decoder.midFrame === plain.partial, () => `midFrame is ${decoder.midFrame}`);
  },
};
