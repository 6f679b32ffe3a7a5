// ArcBox's frame decoder and error frames.
import { Code, isCode, RpcError } from "@guestwire/rpc";
import { codeFromFrame, decodeErrorPayload, encodeErrorPayload } from "../../../../arcbox-frames/src/error-frame.js";
import { encodeFrame, FrameError } from "../../../../arcbox-frames/src/frame.js";
import { FrameDecoder } from "../../../../arcbox-frames/src/frame-decoder.js";
import { unhex } from "../../frames.js";
import { check, type FuzzTarget } from "../target.js";

const limits = [6, 40, 1000, 0xffff] as const;

export const arcboxFrame: FuzzTarget = {
  name: "arcbox-frame",
  checks: "ArcBox's FrameDecoder gives what a plain reader gives, or one FrameError; frames encode to the same bytes",
  seeds: ["0207 0000000a 00000001 0002 7472 7879", "0301 00000006 0000ffff 0000", "0233 00000007 00000031 0008 61"].map(
    unhex,
  ),
  dictionary: [unhex("00000006"), unhex("00000005"), unhex("000003e9"), unhex("ffffffff")],
  run(input) {
    if (input.length < 2) return;
    const limit = limits[(input[0] as number) & 3] as number;
    const cut = input[1] as number;
    const bytes = Buffer.from(input.subarray(2));
    const decoder = new FrameDecoder(limit);
    let at = 0;
    let failed = false;
    const drain = (): void => {
      try {
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
          const length = bytes.readUInt32BE(at);
          const body = bytes.subarray(at + 4, at + 4 + length);
          check(frame.type === body.readUInt32BE(0), () => "another number");
          const traceEnd = 6 + body.readUInt16BE(4);
          const whole = traceEnd <= length;
          check(
            Buffer.compare(frame.trace, whole ? body.subarray(6, traceEnd) : Buffer.alloc(0)) === 0,
            () => "another trace",
          );
          check(
            Buffer.compare(frame.payload, whole ? body.subarray(traceEnd) : Buffer.alloc(0)) === 0,
            () => "another payload",
          );
          if (whole) {
            const again = Buffer.concat(encodeFrame(frame.type, frame.trace, frame.payload));
            check(again.equals(bytes.subarray(at, at + 4 + length)), () => "encodes to other bytes");
          }
          at += 4 + length;
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        failed = true;
      }
    };
    for (let from = 0, pushes = 1; from < bytes.length && !failed; pushes++) {
      const size = 1 + (((cut & 0x3f) * pushes) % 61);
      decoder.push(Buffer.from(bytes.subarray(from, from + size)));
      from += size;
      if (pushes % (1 + (cut >> 6)) === 0) drain();
    }
    if (!failed) drain();
    const next = bytes.length - at >= 4 ? bytes.readUInt32BE(at) : undefined;
    const broken = next !== undefined && (next < 6 || next > limit);
    check(failed === broken, () => `${failed ? "refused" : "took"} a length of ${next}`);
    if (failed) return;
    check(decoder.size === bytes.length - at, () => "another number of bytes waits");
    check(decoder.partial === bytes.length > at, () => "partial says something else");
    check(next === undefined || bytes.length - at < 4 + next, () => "a whole frame waits");
  },
};

export const arcboxError: FuzzTarget = {
  name: "arcbox-error",
  checks: "any payload of an Error frame is an RpcError with a code, and one of ours comes back the same",
  seeds: ["00000194 00000004 676f6e65", "ffffffff 00000002 61c3", "00000002 ffffffff 61", "00"].map(unhex),
  run(input) {
    const error = decodeErrorPayload(input, { method: "/s/m", peer: "p" });
    check(error instanceof RpcError && isCode(error.code), () => "no RpcError with a code");
    check(error.rawMessage.isWellFormed() && error.rawMessage.length <= input.length + 80, () => "no text");
    const number = input.length < 8 ? 0 : Buffer.from(input).readInt32BE(0);
    check(error.code === codeFromFrame(number), () => `code ${error.code} for ${number}`);
    if (error.reason === "protocol") return check(input.length < 8, () => "refused what can be read");
    const again = decodeErrorPayload(encodeErrorPayload(error));
    // HTTP has no number for these.
    const lost = [Code.Unknown, Code.Aborted, Code.DataLoss].includes(error.code as never);
    check(again.code === (lost ? Code.Internal : error.code), () => `code ${error.code} came back as ${again.code}`);
    check(again.rawMessage === error.rawMessage, () => "another text came back");
  },
};
