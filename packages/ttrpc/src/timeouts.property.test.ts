// Milliseconds here, nanoseconds of 64 bits on the wire: any number there is.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Sink } from "@guestwire/rpc/codec";
import { propertySeed } from "@guestwire/testkit";
import { RequestSchema } from "@guestwire/types/ttrpc";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RequestEnvelope, writeRequestEnd } from "./envelope.js";
import { defaultLimits } from "./limits.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

function nanosOf(timeoutMs: number): bigint {
  const sink = new Sink();
  writeRequestEnd(sink, timeoutMs, undefined);
  return fromBinary(RequestSchema, sink.toBytes()).timeoutNano;
}

function msOf(timeoutNano: bigint): number {
  const bytes = Buffer.from(toBinary(RequestSchema, create(RequestSchema, { timeoutNano })));
  const envelope = new RequestEnvelope();
  envelope.read(bytes, 0, bytes.length, defaultLimits);
  return envelope.timeoutMs;
}

const anyMs = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 0, max: 1e6, noNaN: true }),
  fc.integer({ min: -5, max: 2 ** 31 }),
);

test("what is left of a deadline, also less than nothing, is sent as 1 ns to 2^62 ns, never 0", () => {
  fc.assert(
    fc.property(anyMs, (ms) => {
      const nanos = nanosOf(ms);
      expect(nanos).toBeGreaterThanOrEqual(1n);
      expect(nanos).toBeLessThanOrEqual(2n ** 62n);
      // Rounded up: the server never gives up before the client.
      if (ms > 0 && ms < 2 ** 53 / 1e6) expect(Number(nanos)).toBeGreaterThanOrEqual(Math.floor(ms * 1e6));
      if (ms >= 1e-6 && ms < 2 ** 53 / 1e6) expect(Number(nanos)).toBeLessThanOrEqual(ms * 1e6 + 1);
    }),
  );
});

test("a longer time is never sent as a shorter one", () => {
  fc.assert(
    fc.property(anyMs, anyMs, (a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      expect(nanosOf(less)).toBeLessThanOrEqual(nanosOf(more));
    }),
  );
});

test("any 64 bits are a time: past where they are negative, none where they are 0", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanos) => {
      const ms = msOf(nanos);
      expect(ms).toBe(nanos === 0n ? Number.POSITIVE_INFINITY : Number(nanos) / 1e6);
      expect(ms <= 0).toBe(nanos < 0n);
    }),
  );
});

test("what is sent is read as the same time, to a nanosecond", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 9e9, noNaN: true }), (ms) => {
      const back = msOf(nanosOf(ms));
      expect(back).toBeGreaterThanOrEqual(ms * (1 - 2 ** -52));
      expect(back).toBeLessThanOrEqual(ms * (1 + 2 ** -52) + 1e-6);
    }),
  );
});
