// Replays the protobuf conformance suite: what its runner asked, against the answers that it accepted. How it was recorded is
// record.ts.
import { isDeepStrictEqual } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { codecFor } from "@guestwire/rpc/codec";
import { expect, test } from "vitest";
import { answer, guestwire, protobufEs, type Subject, toResponse, withoutErrorText } from "./answer.js";
import { payloadsOf } from "./payloads.test.support.js";
import { readRecording } from "./recording.js";
import { toRegistry } from "./schema.js";

const { schema, cases } = readRecording();
const registry = toRegistry(schema);

/** The tests whose recorded answer a codec does not give. */
function failures(subject: Subject): string[] {
  return cases
    .filter(({ request, response }) => {
      const given = withoutErrorText(registry, toResponse(registry, answer(subject, registry, request)));
      return given === undefined || Buffer.compare(given, response) !== 0;
    })
    .map(({ name }) => name);
}

test("the recording holds all tests of binary and JSON messages", () => {
  expect(cases.length).toBe(5567);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(5567);
});

test("our codec gives the answers that the suite accepted", () => {
  expect(failures(guestwire)).toEqual([]);
});

test("protobuf-es gives the same answers, to the byte", () => {
  expect(failures(protobufEs)).toEqual([]);
});

test("without unknown fields, messages are those that protobuf-es gives without them", () => {
  const payloads = payloadsOf(registry, cases).filter(({ type, bytes }) => {
    try {
      return fromBinary(type, bytes) !== undefined;
    } catch {
      return false;
    }
  });
  expect(payloads.length).toBeGreaterThan(1000);
  const others = payloads.filter(({ type, bytes }) => {
    const ours = codecFor(type).decode(bytes, 0, bytes.length);
    return !isDeepStrictEqual(
      structuredClone(ours),
      structuredClone(fromBinary(type, bytes, { readUnknownFields: false })),
    );
  });
  expect(others.map(({ name }) => name)).toEqual([]);
});
