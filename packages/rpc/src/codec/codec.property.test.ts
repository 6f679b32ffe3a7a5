// Holds the codec against protobuf-es: on random schemas, random messages, and bytes that were damaged.
import { create, type DescMessage, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_descriptor, StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecFor } from "./codec.js";
import { CodecError } from "./codec-error.js";
import { difference } from "./difference.test.support.js";
import { drawInit } from "./random-message.test.support.js";
import { type Draw, drawFile } from "./random-schema.test.support.js";

const numRuns = 1000;

function drawSchema(draw: Draw): DescMessage {
  return draw(fc.constantFrom(...drawFile(draw).messages));
}

/** Checks a property that draws its values while it runs. Does not shrink: whole schemas are too much for that. */
function check(times: number, run: (draw: Draw) => void): void {
  const property = fc.property(fc.gen(), (generate) => run((arbitrary) => generate(() => arbitrary)));
  fc.assert(property, {
    numRuns: times,
    // The same run each time; another seed is another thousand schemas.
    seed: 1,
    endOnFailure: true,
    reporter(run) {
      // The values drawn are thousands: the seed and the path find them again.
      if (run.failed) throw new Error(`seed ${run.seed}, path ${run.counterexamplePath}`, { cause: run.errorInstance });
    },
  });
}

/** "accepted", or why not: two runs must agree on the first word. */
function outcome(run: { value: unknown } | { error: Error }): string {
  return "error" in run ? `refused: ${run.error.message}` : "accepted";
}

function expectSameOutcome(
  ours: { value: unknown } | { error: Error },
  theirs: { value: unknown } | { error: Error },
): void {
  const both = `ours ${outcome(ours)}; theirs ${outcome(theirs)}`;
  expect("error" in ours, both).toBe("error" in theirs);
}

function attempt<T>(run: () => T): { value: T } | { error: Error } {
  try {
    return { value: run() };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Decodes with both and compares: both refuse, or both give the same. */
function compareDecoding(schema: DescMessage, bytes: Uint8Array): void {
  const theirs = attempt(() => fromBinary(schema, bytes, { readUnknownFields: false }));
  // Around the message lie bytes that would go on with any varint, string or group.
  const padded = new Uint8Array(bytes.length + 64).fill(0x7f);
  padded.set(bytes, 32);
  const ours = attempt(() => codecFor(schema).decode(padded, 32, 32 + bytes.length));
  if ("error" in ours) expect(ours.error).toBeInstanceOf(CodecError);
  if ("error" in theirs || "error" in ours) {
    expectSameOutcome(ours, theirs);
    return;
  }
  expect(difference(ours.value, theirs.value)).toBeUndefined();
  const again = attempt(() => toBinary(schema, ours.value));
  const back = attempt(() => codecFor(schema).toBytes(theirs.value as never));
  if ("value" in again && "value" in back) expect(Buffer.compare(again.value, back.value)).toBe(0);
  else expectSameOutcome(back, again);
}

function damage(draw: Draw, bytes: Uint8Array): Uint8Array {
  let damaged = Uint8Array.from(bytes);
  for (let times = draw(fc.integer({ min: 1, max: 3 })); times > 0 && damaged.length > 0; times--) {
    const at = draw(fc.nat({ max: damaged.length - 1 }));
    const kind = draw(fc.constantFrom("flip", "set", "cut", "insert", "repeat"));
    if (kind === "flip") damaged[at] = (damaged[at] as number) ^ (1 << draw(fc.nat({ max: 7 })));
    if (kind === "set") damaged[at] = draw(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 0x7f, 0x80, 0xff, 0x0b, 0x0c));
    if (kind === "cut") damaged = damaged.slice(0, at);
    if (kind === "insert") {
      damaged = Uint8Array.from([
        ...damaged.subarray(0, at),
        ...draw(fc.uint8Array({ maxLength: 12 })),
        ...damaged.subarray(at),
      ]);
    }
    // Twice the same fields: singular messages and oneofs are merged.
    if (kind === "repeat") damaged = Uint8Array.from([...damaged, ...damaged]);
  }
  return damaged;
}

describe("against protobuf-es, on random schemas", () => {
  test("encodes messages and inits to the same bytes, and decodes them to the same messages", () => {
    check(numRuns, (draw) => {
      const schema = drawSchema(draw);
      const init = drawInit(draw, schema) as never;
      const message = create(schema, init);
      const codec = codecFor(schema);
      expect(difference(codec.create(init), message)).toBeUndefined();
      const theirs = toBinary(schema, message);
      expect(Buffer.compare(codec.toBytes(message as never), theirs)).toBe(0);
      expect(Buffer.compare(codec.toBytes(init), theirs)).toBe(0);
      compareDecoding(schema, theirs);
      const decoded = codec.decode(theirs, 0, theirs.length);
      const hasNaN =
        difference(message, create(schema, init)) === undefined &&
        !equals(schema, fromBinary(schema, theirs), fromBinary(schema, theirs));
      if (!hasNaN) expect(equals(schema, decoded, fromBinary(schema, theirs))).toBe(true);
    });
  });

  test("accepts and refuses the same damaged bytes", () => {
    check(numRuns, (draw) => {
      const schema = drawSchema(draw);
      const bytes = toBinary(schema, create(schema, drawInit(draw, schema) as never));
      compareDecoding(schema, damage(draw, bytes));
    });
  });

  test("accepts and refuses the same messages of another type", () => {
    check(numRuns, (draw) => {
      const schema = drawSchema(draw);
      const other = drawSchema(draw);
      compareDecoding(other, toBinary(schema, create(schema, drawInit(draw, schema) as never)));
    });
  });

  test("keeps the same unknown fields, and writes them back", () => {
    check(numRuns, (draw) => {
      const schema = drawSchema(draw);
      const other = drawSchema(draw);
      const bytes = toBinary(schema, create(schema, drawInit(draw, schema) as never));
      const theirs = attempt(() => fromBinary(other, bytes));
      const ours = attempt(() => codecFor(other, { keepUnknown: true }).decode(bytes, 0, bytes.length));
      expectSameOutcome(ours, theirs);
      if ("error" in ours || "error" in theirs) return;
      // protobuf-es loses an unknown number of a closed enum when another unknown field is in the same message.
      if (other.file.enums.some((type) => !type.open)) return;
      expect(difference(ours.value, theirs.value)).toBeUndefined();
      const back = attempt(() => codecFor(other).toBytes(ours.value));
      const again = attempt(() => toBinary(other, theirs.value));
      if ("value" in again && "value" in back) expect(Buffer.compare(back.value, again.value)).toBe(0);
      else expectSameOutcome(back, again);
    });
  });

  test("refuses every value that protobuf-es refuses, and writes what it writes for the others", () => {
    const wrong = fc.constantFrom<unknown>(
      ...[
        1.5,
        2 ** 31,
        -(2 ** 31) - 1,
        2 ** 32,
        1e300,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        "0",
        "5",
        "x",
        true,
        {},
        [],
        [1],
        ["x"],
      ],
      ...[2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, -1n, 5n, Symbol.iterator, () => 0, { case: "x" }, new Uint8Array(1)],
    );
    check(numRuns, (draw) => {
      const schema = drawSchema(draw);
      if (schema.members.length === 0) return;
      const init = drawInit(draw, schema);
      const member = draw(fc.constantFrom(...schema.members));
      const value = draw(wrong);
      init[member.localName] = value;
      const theirs = attempt(() => toBinary(schema, create(schema, init as never)));
      const ours = attempt(() => codecFor(schema).toBytes(init as never));
      if ("error" in ours) expect(ours.error).toBeInstanceOf(CodecError);
      if ("error" in theirs) expectSameOutcome(ours, theirs);
      else if ("value" in ours) expect(Buffer.compare(ours.value, theirs.value)).toBe(0);
    });
  });
});

describe("against protobuf-es, on its own schemas", () => {
  const files = [file_google_protobuf_descriptor];

  test("decodes and encodes descriptors, which are proto2 with extensions", () => {
    for (const file of files) {
      const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      compareDecoding(FileDescriptorProtoSchema, bytes);
      expect(Buffer.compare(codecFor(FileDescriptorProtoSchema).toBytes(file.proto), bytes)).toBe(0);
    }
  });

  test("accepts and refuses the same damaged descriptors", () => {
    const bytes = toBinary(FileDescriptorProtoSchema, file_google_protobuf_descriptor.proto);
    check(1000, (draw) => compareDecoding(FileDescriptorProtoSchema, damage(draw, bytes)));
  });

  test("never throws but its own error on random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        compareDecoding(FileDescriptorProtoSchema, bytes);
        compareDecoding(StructSchema, bytes);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});
