// The suite's messages with a few bytes changed, cut or mixed: our codec takes, refuses and gives what protobuf-es does.
import { isDeepStrictEqual } from "node:util";
import { type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { codecFor } from "@guestwire/rpc/codec";
import fc from "fast-check";
import { expect, test } from "vitest";
import { propertySeed } from "../property-seed.js";
import { payloadsOf } from "./payloads.test.support.js";
import { readRecording } from "./recording.js";
import { toRegistry } from "./schema.js";

const { schema, cases } = readRecording();
const registry = toRegistry(schema);
const payloads = payloadsOf(registry, cases);

/** Bytes that mean something: zeros, ends of varints, tags of field 1 with each wire type. */
const byte = fc.oneof(fc.constantFrom(0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xff, 8, 9, 10, 11, 12, 13), fc.nat(255));
const place = fc.double({ min: 0, max: 1, noNaN: true });
const payload = fc.constantFrom(...payloads.filter(({ bytes }) => bytes.length <= 400));
const change = fc.oneof(
  fc.record({ kind: fc.constantFrom("set", "insert", "cut", "remove"), at: place, byte }),
  fc.record({ kind: fc.constant("mix"), at: place, with: payload }),
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(bytes: Buffer, changed: Change): Buffer {
  const at = Math.floor(changed.at * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  if ("with" in changed) return Buffer.concat([before, changed.with.bytes, after]);
  if (changed.kind === "cut") return before;
  if (changed.kind === "remove") return Buffer.concat([before, after.subarray(1)]);
  return Buffer.concat([before, Buffer.of(changed.byte), after.subarray(changed.kind === "set" ? 1 : 0)]);
}

/** A message and what it is encoded to again; undefined where bytes or message are refused. */
interface Outcome {
  readonly message: object | undefined;
  readonly bytes: Uint8Array | undefined;
}

function outcome<M extends object>(decode: () => M, encode: (message: M) => Uint8Array): Outcome {
  const message = attempt(decode);
  return { message, bytes: message && attempt(() => encode(message)) };
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** protobuf-es loses a closed enum's unknown values beside other unknown fields, so these schemas go without. */
function keepsUnknown(type: DescMessage): boolean {
  return !type.name.endsWith("Proto2");
}

function esOutcome(type: DescMessage, bytes: Uint8Array): Outcome {
  return outcome(
    () => fromBinary(type, bytes, { readUnknownFields: keepsUnknown(type) }),
    (message) => toBinary(type, message),
  );
}

function ourOutcome(type: DescMessage, bytes: Uint8Array): Outcome {
  const codec = codecFor(type, { keepUnknown: keepsUnknown(type) });
  return outcome(
    () => codec.decode(bytes, 0, bytes.length),
    (message) => codec.toBytes(message),
  );
}

/** Whether two messages are equal in all own properties. Copies forget prototypes, which are different objects here and there. */
function same(a: object | undefined, b: object | undefined): boolean {
  return isDeepStrictEqual(structuredClone(a), structuredClone(b));
}

/** Whether bytes are equal, but for the bits in a NaN: JavaScript does not say which ones it writes. */
function sameBytes(type: DescMessage, a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0 || (a.length === b.length && same(fromBinary(type, a), fromBinary(type, b)));
}

test("changed messages come out as from protobuf-es", () => {
  const outcomes = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(payload, fc.array(change, { minLength: 1, maxLength: 3 }), ({ type, bytes }, changes) => {
      const changed = new Uint8Array(changes.reduce(apply, Buffer.from(bytes)));
      const theirs = esOutcome(type, changed);
      const ours = ourOutcome(type, changed);
      outcomes[theirs.message === undefined ? "refused" : "taken"]++;
      expect(same(ours.message, theirs.message)).toBe(true);
      expect(sameBytes(type, ours.bytes, theirs.bytes)).toBe(true);
    }),
    { seed: propertySeed, numRuns: 5000 },
  );
  // Neither kind is rare.
  expect(Math.min(outcomes.taken, outcomes.refused)).toBeGreaterThan(500);
});

test("a closed enum's unknown value is kept beside unknown fields, where protobuf-es loses it", () => {
  const type = registry.getMessage("protobuf_test_messages.proto2.TestAllTypesProto2") as DescMessage;
  const unknownField = Buffer.from("d5a80100a80101", "hex");
  const unknownValue = Buffer.from("a80163", "hex");
  const bytes = Buffer.concat([unknownField, unknownValue]);
  const message = codecFor(type, { keepUnknown: true }).decode(bytes, 0, bytes.length);
  expect(message.$unknown?.map(({ no }) => no)).toEqual([2698, 21]);
  expect(fromBinary(type, bytes).$unknown?.map(({ no }) => no)).toEqual([2698]);
});
