// The messages of guestwire.control.v1 that are read and written by hand, beside the generated code.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import {
  CancelRequestSchema,
  ControlService,
  HelloRequestSchema,
  HelloResponseSchema,
  ResponseMetadataSchema,
} from "@guestwire/types/control";
import { expect, test } from "vitest";
import {
  cancelCodec,
  controlMethods,
  controlService,
  decodeResponseMetadata,
  encodeResponseMetadata,
  featuresCodec,
  responseMetadataType,
} from "./control-protocol.js";

function bytesOf(codec: typeof cancelCodec, message: object): Uint8Array {
  const sink = new Sink();
  codec.encode(message as never, sink);
  return Uint8Array.from(sink.toBytes());
}

const limits = { metadataPairs: 3, metadataBytes: 100 };

test("the names are the schema's", () => {
  expect(controlService).toBe(ControlService.typeName);
  expect(responseMetadataType).toBe(ResponseMetadataSchema.typeName);
  for (const method of ControlService.methods) {
    expect(controlMethods[method.localName as "ping"].path).toBe(`/${controlService}/${method.name}`);
  }
});

test.each([[[]], [[1]], [[1, 2, 300]]])("features %j are what the generated code writes and reads", (features) => {
  for (const schema of [HelloRequestSchema, HelloResponseSchema]) {
    const bytes = toBinary(schema, create(schema, { features: features as never[] }));
    expect(bytesOf(featuresCodec, { features })).toEqual(bytes);
    expect(featuresCodec.decode(Buffer.from(bytes), 0, bytes.length)).toEqual({ features });
  }
});

test("more features than there can be are refused", () => {
  const bytes = (count: number) => Buffer.concat([Buffer.from([0x0a, count]), Buffer.alloc(count, 1)]);
  expect(featuresCodec.decode(bytes(64), 0, 66)).toMatchObject({ features: { length: 64 } });
  expect(() => featuresCodec.decode(bytes(65), 0, 67)).toThrow("more than 64 features");
});

test("features that are not packed, and fields that are not known, are read too", () => {
  const bytes = Buffer.from([0x08, 0x01, 0x10, 0x05, 0x08, 0x02]);
  expect(featuresCodec.decode(bytes, 0, bytes.length)).toEqual({ features: [1, 2] });
  expect(cancelCodec.decode(Buffer.from([0x10, 0x05, 0x08, 0x07]), 0, 4)).toEqual({ streamId: 7 });
});

test.each([0, 1, 129, 0xffff_ffff])(
  "the cancellation of %i is what the generated code writes and reads",
  (streamId) => {
    const bytes = toBinary(CancelRequestSchema, create(CancelRequestSchema, { streamId }));
    expect(bytesOf(cancelCodec, { streamId })).toEqual(bytes);
    expect(cancelCodec.decode(Buffer.from(bytes), 0, bytes.length)).toEqual({ streamId });
  },
);

test("metadata are what the generated code writes and reads", () => {
  const header = new Metadata([["a", "1"]]);
  const trailer = new Metadata([
    ["b", "ü".repeat(20)],
    ["b", ""],
  ]);
  const bytes = encodeResponseMetadata({ header, trailer });
  const message = fromBinary(ResponseMetadataSchema, bytes);
  expect(message.header.map(({ key, value }) => [key, value])).toEqual([...header]);
  expect(message.trailer.map(({ key, value }) => [key, value])).toEqual([...trailer]);
  expect(toBinary(ResponseMetadataSchema, message)).toEqual(bytes);
  const read = decodeResponseMetadata(bytes, limits);
  expect([[...read.header], [...read.trailer]]).toEqual([[...header], [...trailer]]);
});

test("metadata over a bound, and bytes that are none, are refused", () => {
  const pairs = (count: number) =>
    new Metadata(Array.from({ length: count }, (_, i): [string, string] => [`k${i}`, ""]));
  const none = new Metadata();
  expect(() =>
    decodeResponseMetadata(encodeResponseMetadata({ header: pairs(3), trailer: none }), limits),
  ).not.toThrow();
  expect(() => decodeResponseMetadata(encodeResponseMetadata({ header: pairs(2), trailer: pairs(2) }), limits)).toThrow(
    "more than 3 metadata pairs",
  );
  expect(() => decodeResponseMetadata(Buffer.alloc(101, 0x0a), limits)).toThrow("more than 100 bytes of metadata");
  expect(() => decodeResponseMetadata(Buffer.from([0x0a, 0x05, 0x0a]), limits)).toThrow("runs over the end");
});
