// The envelope of requests, held against the generated codec.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import { WireError } from "@guestwire/rpc/transport";
import { propertySeed, unhex } from "@guestwire/testkit";
import { KeyValueSchema, RequestSchema } from "@guestwire/types/ttrpc";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EnvelopeLimitError, RequestEnvelope, readMetadata, requestPrefix, writeRequestEnd } from "./envelope.js";
import { defaultLimits, type Limits } from "./limits.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const noLimit = Number.POSITIVE_INFINITY;

/** What a client's session writes into a Request frame. */
function writeRequest(
  service: string,
  method: string,
  payload: Uint8Array,
  timeoutMs = noLimit,
  metadata?: Metadata,
): Buffer {
  const sink = new Sink();
  sink.raw(requestPrefix(service, method));
  if (payload.length > 0) {
    sink.uint32(0x1a);
    sink.uint32(payload.length);
    sink.raw(payload);
  }
  writeRequestEnd(sink, timeoutMs, metadata);
  return Buffer.from(sink.toBytes());
}

/** What the generated code reads and writes. */
interface Parts {
  readonly service?: string;
  readonly method?: string;
  readonly payload?: Uint8Array;
  readonly timeoutNano?: bigint;
  readonly metadata?: readonly (readonly [string, string])[];
}

function oracle({ metadata = [], ...parts }: Parts): Buffer {
  const pairs = metadata.map(([key, value]) => create(KeyValueSchema, { key, value }));
  return Buffer.from(toBinary(RequestSchema, create(RequestSchema, { ...parts, metadata: pairs })));
}

/** Reads with other bytes around, which a reader must not look at. */
function read(bytes: Uint8Array, limits: Partial<Limits> = {}, prefix?: number) {
  const around = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(7, 0x01)]);
  const envelope = new RequestEnvelope();
  envelope.read(around, 7, 7 + bytes.length, { ...defaultLimits, ...limits }, prefix);
  const { service, method, timeoutMs, namesRead, payloadStart, payloadEnd, metadataPairs } = envelope;
  const payload = Buffer.from(around.subarray(payloadStart, payloadEnd));
  const metadata = metadataPairs === 0 ? [] : [...readMetadata(around, envelope.metadataStart, envelope.metadataEnd)];
  return { service, method, payload, timeoutMs, namesRead, metadataPairs, metadata };
}

const text = fc.string({ unit: "binary", maxLength: 40 });
const key = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
const pairs = fc.array(fc.tuple(key, text), { maxLength: 5 });
const payload = fc.uint8Array({ maxLength: 300 });

describe("a request", () => {
  test("is written as the generated codec writes it", () => {
    const timeout = fc.option(fc.integer({ min: 1, max: 100_000_000 }), { nil: undefined });
    fc.assert(
      fc.property(text, text, payload, timeout, pairs, (service, method, bytes, timeoutMs, metadata) => {
        const ours = writeRequest(service, method, bytes, timeoutMs, new Metadata(metadata));
        const timeoutNano = BigInt(timeoutMs ?? 0) * 1_000_000n;
        expect(ours.toString("hex")).toBe(
          oracle({ service, method, payload: bytes, timeoutNano, metadata }).toString("hex"),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("is read as the generated codec reads it", () => {
    const nanos = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(text, text, payload, nanos, pairs, (service, method, bytes, timeoutNano, metadata) => {
        const seen = read(oracle({ service, method, payload: bytes, timeoutNano, metadata }));
        expect(seen).toMatchObject({ service, method, payload: Buffer.from(bytes), metadata });
        expect(seen.timeoutMs).toBe(timeoutNano === 0n ? noLimit : Number(timeoutNano) / 1e6);
      }),
      { numRuns: 1000 },
    );
  });

  test("may have its fields in any order, several times, with unknown ones between", () => {
    const field = fc.constantFrom("service", "method", "payload", "timeoutNano", "metadata", "unknown");
    const unknown = [
      "3001", // 6: varint
      "39 0102030405060708", // 7: 64 bit
      "42 03 010203", // 8: bytes
      "4d 01020304", // 9: 32 bit
      "53 0801 53 54 54", // 10: a group in a group
      "f8ffffff0f 01", // the highest field number
    ];
    fc.assert(
      fc.property(fc.array(fc.tuple(field, fc.nat({ max: 1000 })), { maxLength: 12 }), (fields) => {
        const bytes = Buffer.concat(
          fields.map(([name, n]) => {
            if (name === "unknown") return unhex(unknown[n % unknown.length] as string);
            if (name === "payload") return oracle({ payload: Buffer.alloc((n % 200) + 1, n) });
            if (name === "timeoutNano") return oracle({ timeoutNano: BigInt(n + 1) });
            if (name === "metadata") return oracle({ metadata: [[`k${n}`, `v${n}`]] });
            return oracle({ [name]: `n${n}` });
          }),
        );
        const theirs = fromBinary(RequestSchema, bytes);
        const ours = read(bytes, { metadataPairs: 100 });
        expect(ours).toMatchObject({
          service: theirs.service,
          method: theirs.method,
          payload: Buffer.from(theirs.payload),
          metadata: theirs.metadata.map(({ key: name, value }) => [name, value]),
          timeoutMs: theirs.timeoutNano === 0n ? noLimit : Number(theirs.timeoutNano) / 1e6,
        });
      }),
      { numRuns: 1000 },
    );
  });

  test("of nothing has empty names", () => {
    expect(read(Buffer.alloc(0))).toMatchObject({ service: "", method: "", timeoutMs: noLimit, metadataPairs: 0 });
  });

  test("any bytes are read, or refused with a WireError and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(read(bytes).payload.length).toBeLessThan(bytes.length + 1);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("a known field with another wire type is unknown, as to Go", () => {
    expect(read(unhex("0801 1801 2201ff 2801"))).toMatchObject({ service: "", timeoutMs: noLimit, metadataPairs: 0 });
  });

  test("is read behind names that are known", () => {
    const prefix = requestPrefix("t.S", "M");
    const bytes = oracle({ service: "t.S", method: "M", payload: Buffer.from("in"), timeoutNano: 5_000_000n });
    expect(prefix.toString("hex")).toBe("0a03742e5312014d");
    expect(read(bytes, {}, prefix.length)).toMatchObject({ namesRead: 0, timeoutMs: 5, payload: Buffer.from("in") });
    const twice = Buffer.concat([bytes, oracle({ method: "Other" })]);
    expect(read(twice, {}, prefix.length)).toMatchObject({ namesRead: 1 });
    expect(read(twice)).toMatchObject({ service: "t.S", method: "Other", namesRead: 3 });
  });

  test.each([
    ["a varint without end", "20 ff"],
    ["a varint of eleven bytes", "20 ffffffffffffffffffff01"],
    ["a length over the end", "0a 05 41"],
    ["a payload over the end", "1a 7f 41"],
    ["field number 0", "02 00"],
    ["an end of a group that did not begin", "0c"],
    ["a group that ends as another", "53 5c"],
    ["a group without end", "53"],
    ["wire type 7", "0f"],
    ["a 64-bit field cut short", "39 0102"],
    ["an unknown field over the end", "42 05 01"],
    ["a service that is no UTF-8", "0a 02 c328"],
    ["a metadata value that is no UTF-8", "2a 07 0a01 6b 12 02 c328"],
    ["a metadata pair cut short", "2a 03 0a 05 6b"],
  ])("%s is a WireError", (_, hex) => {
    expect(() => read(unhex(hex))).toThrow(WireError);
  });

  test("groups nested too deep are a WireError, not an overflow of the stack", () => {
    expect(() => read(Buffer.alloc(200_000, 0x53))).toThrow(WireError);
  });
});

describe("timeouts", () => {
  const nanos = (timeoutMs: number): bigint =>
    fromBinary(RequestSchema, writeRequest("s", "m", Buffer.alloc(0), timeoutMs)).timeoutNano;

  test.each([
    [0.000_000_1, 1n],
    [0, 1n],
    [-5, 1n],
    [0.5, 500_000n],
    [1, 1_000_000n],
    [1.000_000_4, 1_000_001n],
    [2 ** 31, 2n ** 31n * 1_000_000n],
    [1e300, 2n ** 62n],
  ])("%d ms are sent as %d ns: rounded up, never 0, never over what fits", (timeoutMs, expected) => {
    expect(nanos(timeoutMs)).toBe(expected);
  });

  test("no limit is not sent", () => {
    expect(writeRequest("s", "m", Buffer.alloc(0)).toString("hex")).toBe("0a01731201" + "6d");
  });

  test("come back to at least what was sent, and less than a nanosecond more", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e8, noNaN: true }), (timeoutMs) => {
        const back = read(writeRequest("s", "m", Buffer.alloc(0), timeoutMs)).timeoutMs;
        expect(back).toBeGreaterThanOrEqual(timeoutMs * (1 - 1e-15));
        expect(back - timeoutMs).toBeLessThan(1.1e-6);
      }),
    );
  });

  test.each([
    [0n, noLimit],
    [1n, 1e-6],
    [2n ** 63n - 1n, 2 ** 63 / 1e6],
    [-1n, -1e-6],
    [-(2n ** 63n), -(2 ** 63) / 1e6],
  ])("%d ns are read as %d ms", (timeoutNano, timeoutMs) => {
    expect(read(oracle({ timeoutNano })).timeoutMs).toBe(timeoutMs);
  });
});

describe("metadata", () => {
  const over = (metadata: readonly (readonly [string, string])[], limits?: Partial<Limits>) => () =>
    read(oracle({ metadata }), limits);

  test("keeps order, values of one key, empty values and keys as a peer wrote them, in lower case", () => {
    const metadata: [string, string][] = [
      ["Foo", "1"],
      ["b", ""],
      ["foo", "2"],
      ["__proto__", "x"],
      ["a b\r\n", "ü\0"],
    ];
    expect(read(oracle({ metadata })).metadata).toEqual(metadata.map(([name, value]) => [name.toLowerCase(), value]));
  });

  test("a pair without key or value is one of empty texts; the last of each counts", () => {
    expect(read(unhex("2a00")).metadata).toEqual([["", ""]]);
    expect(read(unhex("2a0e 0a0161 0a0162 120178 120179 1801")).metadata).toEqual([["b", "y"]]);
  });

  test("an empty key is written as the generated codec writes it", () => {
    const metadata = Metadata.received(["", "x"]);
    expect(writeRequest("s", "m", Buffer.alloc(0), noLimit, metadata)).toEqual(
      oracle({ service: "s", method: "m", metadata: [["", "x"]] }),
    );
  });

  test.each([127, 128])("%i pairs are taken", (count) => {
    const metadata = Array.from({ length: count }, (_, i) => [`k${i}`, "v"] as const);
    expect(over(metadata)).not.toThrow();
  });

  test("129 pairs are too many", () => {
    const metadata = Array.from({ length: 129 }, (_, i) => [`k${i}`, "v"] as const);
    expect(over(metadata)).toThrow(new EnvelopeLimitError("more than 128 metadata pairs"));
  });

  test.each([8191, 8192])("a value of %i bytes is taken", (size) => {
    expect(over([["key", "v".repeat(size)]])).not.toThrow();
  });

  test("a value of 8193 bytes is too long", () => {
    expect(over([["key", "v".repeat(8193)]])).toThrow(/a metadata value of more than 8192 bytes/);
  });

  test("a value and a key at their bounds are taken together", () => {
    expect(over([["k".repeat(8192), "v".repeat(8192)]])).not.toThrow();
    expect(over([["k".repeat(8193), "v"]])).toThrow(EnvelopeLimitError);
  });

  test.each([
    ["bound - 1", 99, false],
    ["bound", 100, false],
    ["bound + 1", 101, true],
  ])("all pairs together: %s", (_, size, refused) => {
    // A pair takes its texts and two bytes in front of each.
    const metadata = [
      ["a", "v".repeat(45)],
      ["b", "v".repeat(size - 50 - 5)],
    ] as const;
    const attempt = over(metadata, { metadataBytes: 100 });
    if (refused) expect(attempt).toThrow(/more than 100 bytes of metadata/);
    else expect(attempt).not.toThrow();
  });
});

describe("names", () => {
  test.each([
    ["bound - 1", 511, false],
    ["bound", 512, false],
    ["bound + 1", 513, true],
  ])("service and method together: %s", (_, size, refused) => {
    const attempt = () => read(oracle({ service: "s".repeat(size - 12), method: "m".repeat(12) }));
    if (refused) expect(attempt).toThrow(/names of more than 512 bytes/);
    else expect(attempt).not.toThrow();
  });

  test("are counted in bytes, not in characters", () => {
    const service = "ü".repeat(130);
    expect(() => read(oracle({ service, method: "ü".repeat(126) }))).not.toThrow();
    expect(() => read(oracle({ service, method: "ü".repeat(127) }))).toThrow(EnvelopeLimitError);
  });

  test("one of a megabyte is refused before it is made a string", () => {
    expect(() => read(oracle({ service: "s".repeat(1 << 20) }))).toThrow(EnvelopeLimitError);
  });
});
