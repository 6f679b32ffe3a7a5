// The compiled codec on random schemas, against protobuf-es.
import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { CodecError, codecFor } from "@guestwire/rpc/codec";
import fc from "fast-check";
import { difference } from "../../../../rpc/src/codec/difference.test.support.js";
import { drawInit } from "../../../../rpc/src/codec/random-message.test.support.js";
import { drawFile } from "../../../../rpc/src/codec/random-schema.test.support.js";
import { unhex } from "../../frames.js";
import { attempt, check, type FuzzTarget } from "../target.js";

// Always the same, as the first byte of an input chooses among them.
const drawn = fc.sample(
  fc.gen().map((generate) => {
    const draw = <T>(arbitrary: fc.Arbitrary<T>): T => generate(() => arbitrary);
    return drawFile(draw).messages.map((schema) => ({ schema, bytes: encoded(schema, drawInit(draw, schema)) }));
  }),
  { numRuns: 40, seed: 7 },
);
const messages = [
  {
    schema: FileDescriptorProtoSchema as DescMessage,
    bytes: toBinary(FileDescriptorProtoSchema, FileDescriptorProtoSchema.file.proto).slice(0, 400),
  },
  { schema: StructSchema as DescMessage, bytes: toBinary(StructSchema, create(StructSchema, {})) },
  ...drawn.flat(),
];

function encoded(schema: DescMessage, init: object): Uint8Array {
  try {
    return toBinary(schema, create(schema, init as never));
  } catch {
    // A random message may lack what is required.
    return new Uint8Array(0);
  }
}

export const codec: FuzzTarget = {
  name: "codec",
  checks: "codecs of 122 schemas decode what protobuf-es decodes, to the same, and encode it to the same bytes",
  seeds: messages.map(({ bytes }, i) => Buffer.concat([Buffer.of(i), bytes])).filter((seed) => seed.length < 600),
  dictionary: ["0a00", "12020a00", "0b0c", "080196", "ffffffffffffffffff01", "09000000000000f07f", "0d0000c07f"].map(
    unhex,
  ),
  run(input) {
    if (input.length === 0) return;
    const { schema } = messages[(input[0] as number) % messages.length] as { schema: DescMessage };
    const bytes = input.subarray(1);
    const theirs = attempt(
      () => fromBinary(schema, bytes, { readUnknownFields: false }),
      () => true,
    );
    const around = new Uint8Array(bytes.length + 64).fill(0x7f);
    around.set(bytes, 32);
    const ours = attempt(
      () => codecFor(schema).decode(around, 32, 32 + bytes.length),
      (error) => error instanceof CodecError,
    );
    check("error" in ours === "error" in theirs, () => `ours ${say(ours)}, theirs ${say(theirs)} (${schema.typeName})`);
    if ("error" in ours || "error" in theirs) return;
    const where = difference(ours.value, theirs.value);
    check(where === undefined, () => `${schema.typeName}: ${where}`);
    const again = attempt(
      () => toBinary(schema, theirs.value),
      () => true,
    );
    const back = attempt(
      () => codecFor(schema).toBytes(ours.value),
      (error) => error instanceof CodecError,
    );
    check("error" in again === "error" in back, () => `encoding: ours ${say(back)}, theirs ${say(again)}`);
    if ("value" in again && "value" in back) check(Buffer.compare(again.value, back.value) === 0, () => "other bytes");
  },
};

function say(one: object): string {
  return "error" in one ? `refused (${(one.error as Error).message})` : "accepted";
}
