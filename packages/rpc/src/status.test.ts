// The hand-written google.rpc.Status against the descriptor-made one.
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { WireError } from "./codec/reader.js";
import { Sink } from "./codec/sink.js";
import { RpcError } from "./rpc-error.js";
import { readStatus, type Status, writeStatus } from "./status.js";
import "./property-seed.test.support.js";

const { INT32, STRING, MESSAGE } = FieldDescriptorProto_Type;
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;
const file = create(FileDescriptorProtoSchema, {
  name: "status.proto",
  package: "google.rpc",
  syntax: "proto3",
  dependency: [file_google_protobuf_any.proto.name],
  messageType: [
    {
      name: "Status",
      field: [
        { name: "code", number: 1, type: INT32, label: OPTIONAL },
        { name: "message", number: 2, type: STRING, label: OPTIONAL },
        { name: "details", number: 3, type: MESSAGE, typeName: ".google.protobuf.Any", label: REPEATED },
      ],
    },
  ],
});
const schema = createFileRegistry(file, () => file_google_protobuf_any).getMessage("google.rpc.Status") as DescMessage;

interface StatusMessage {
  code: number;
  message: string;
  details: { typeUrl: string; value: Uint8Array }[];
}

function written(error: RpcError): Uint8Array {
  const sink = new Sink();
  writeStatus(error, sink);
  return sink.toBytes();
}

function read(bytes: Uint8Array): Status {
  return readStatus(Buffer.from(bytes), 0, bytes.length);
}

const code = fc.integer({ min: 1, max: 16 }) as fc.Arbitrary<Code>;
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const detail = fc.record({
  typeUrl: text,
  value: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 4090, maxLength: 4100 })),
});

describe("writing", () => {
  test("gives the bytes that protobuf-es gives, also for long and large details", () => {
    fc.assert(
      fc.property(code, text, fc.array(detail, { maxLength: 4 }), (number, message, details) => {
        const bytes = written(new RpcError(number, message, { details }));
        const expected = toBinary(schema, create(schema, { code: number, message, details: details as never }));
        expect(Buffer.from(bytes).equals(expected)).toBe(true);
      }),
    );
  });

  test("goes behind what the sink holds", () => {
    const sink = new Sink(Buffer.alloc(3));
    sink.uint32(7);
    writeStatus(new RpcError(Code.NotFound, "a".repeat(300)), sink);
    const bytes = Buffer.from(sink.toBytes());
    expect(bytes[0]).toBe(7);
    expect(readStatus(bytes, 1, bytes.length)).toEqual({ code: 5, message: "a".repeat(300), details: [] });
  });

  test("text with a lone surrogate is still a status", () => {
    expect(read(written(new RpcError(Code.Internal, "a\ud800b"))).message).toBe("a\ufffdb");
  });
});

describe("reading", () => {
  test("gives back what was written", () => {
    fc.assert(
      fc.property(code, text, fc.array(detail, { maxLength: 4 }), (number, message, details) => {
        expect(read(written(new RpcError(number, message, { details })))).toEqual({ code: number, message, details });
      }),
    );
  });

  test("details do not keep the buffer alive they came in", () => {
    const bytes = Buffer.from(
      written(new RpcError(Code.Internal, "x", { details: [{ typeUrl: "a", value: Buffer.from("b") }] })),
    );
    const { details } = readStatus(bytes, 0, bytes.length);
    bytes.fill(0);
    expect(details).toEqual([{ typeUrl: "a", value: new Uint8Array([0x62]) }]);
    expect(details[0]?.value.buffer.byteLength).toBe(1);
  });

  test("nothing is OK; the last code and message count; details add up", () => {
    expect(read(Buffer.alloc(0))).toEqual({ code: 0, message: "", details: [] });
    const twice = Buffer.concat([
      written(new RpcError(Code.NotFound, "one", { details: [{ typeUrl: "a", value: Buffer.alloc(0) }] })),
      written(new RpcError(Code.Aborted, "two", { details: [{ typeUrl: "b", value: Buffer.alloc(0) }] })),
    ]);
    const { code: last, message, details } = read(twice);
    expect([last, message, details.map(({ typeUrl }) => typeUrl)]).toEqual([Code.Aborted, "two", ["a", "b"]]);
  });

  test.each([
    ["17", [0x08, 17]],
    ["300", [0x08, 0xac, 0x02]],
    ["-1", [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])("the code %s becomes Unknown", (_, bytes) => {
    expect(read(Buffer.from(bytes)).code).toBe(Code.Unknown);
  });

  test("unknown fields of every wire type are passed over, in the status and in details", () => {
    const unknown = [
      ...[0x20, 0x96, 0x01],
      ...[0x29, 1, 2, 3, 4, 5, 6, 7, 8],
      ...[0x32, 2, 0xff, 0xff],
      ...[0x3b, 0x08, 1, 0x3c],
      ...[0x45, 1, 2, 3, 4],
      // A known number with another wire type.
      ...[0x15, 1, 2, 3, 4],
    ];
    const detail = [0x0a, 1, 0x61, ...unknown, 0x12, 1, 9];
    const bytes = Buffer.from([...unknown, 0x08, 5, 0x1a, detail.length, ...detail, ...unknown, 0x12, 1, 0x78]);
    expect(read(bytes)).toEqual({ code: 5, message: "x", details: [{ typeUrl: "a", value: new Uint8Array([9]) }] });
  });

  test.each([
    ["a tag without a value", [0x08]],
    ["a varint that does not end", [0x08, 0x80]],
    ["a varint of eleven bytes", [0x08, ...Array(10).fill(0x80), 1]],
    ["a text over the end", [0x12, 5, 0x61]],
    ["a length of 4 GiB", [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["text that is not UTF-8", [0x12, 1, 0xff]],
    ["a detail over the end", [0x1a, 2, 0x0a]],
    ["a detail's value over the detail's end", [0x1a, 2, 0x12, 5, 1, 2, 3, 4, 5]],
    ["field number 0", [0x00, 0x00]],
    // Cut off to 32 bits it would be the message.
    ["a tag of more than 32 bits", [0x92, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ["an end of a group that never began", [0x3c]],
    ["a group that does not end", [0x3b, 0x08, 1]],
    ["wire type 7", [0x0f]],
    ["a fixed64 over the end", [0x29, 1, 2]],
  ])("%s is a WireError", (_, bytes) => {
    expect(() => read(Buffer.from(bytes))).toThrow(WireError);
  });

  test("any bytes give a status or a WireError, and never a look behind the end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 12 }), (bytes, behind) => {
        const outcome = (buffer: Buffer): unknown => {
          try {
            return readStatus(buffer, 0, bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
            return (error as Error).message;
          }
        };
        expect(outcome(Buffer.concat([bytes, behind]))).toEqual(outcome(Buffer.from(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  test("fields in any order and number, with unknown ones between, read as protobuf-es reads them", () => {
    const lengthDelimited = (tag: number, bytes: Uint8Array): Buffer => {
      const sink = new Sink();
      sink.uint32(tag);
      sink.uint32(bytes.length);
      return Buffer.concat([sink.toBytes(), bytes]);
    };
    const unknown = fc.oneof(
      fc.integer({ min: 4, max: 2000 }).map((number) => Buffer.from([...varint(number * 8), 0x96, 0x01])),
      fc.integer({ min: 4, max: 2000 }).map((number) => Buffer.from([...varint(number * 8 + 5), 1, 2, 3, 4])),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => lengthDelimited(4 * 8 + 2, bytes)),
    );
    const typeUrl = text.map((value) => lengthDelimited(0x0a, Buffer.from(value)));
    const value = fc.uint8Array({ maxLength: 9 }).map((bytes) => lengthDelimited(0x12, bytes));
    const any = fc.array(fc.oneof(typeUrl, value, unknown), { maxLength: 4 });
    const field = fc.oneof(
      fc.integer().map((number) => Buffer.from([0x08, ...varint(number)])),
      text.map((message) => lengthDelimited(0x12, Buffer.from(message))),
      any.map((parts) => lengthDelimited(0x1a, Buffer.concat(parts))),
      unknown,
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
        const bytes = Buffer.concat(fields);
        const mine = read(bytes);
        const theirs = fromBinary(schema, Uint8Array.from(bytes)) as unknown as StatusMessage;
        expect(mine.message).toBe(theirs.message);
        expect(mine.details).toEqual(theirs.details.map(({ typeUrl, value }) => ({ typeUrl, value })));
        expect(mine.code).toBe(theirs.code >= 0 && theirs.code <= 16 ? theirs.code : Code.Unknown);
      }),
      { numRuns: 1000 },
    );
  });
});

/** An integer as protobuf writes an int32: negative ones in ten bytes. */
function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
