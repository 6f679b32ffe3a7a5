// Golden bytes for every field type, and the errors of values that do not fit.
import { create, toBinary } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { codecFor } from "./codec.js";
import { CodecError } from "./codec-error.js";
import { makeMessages } from "./schema-builder.test.support.js";
import { Sink } from "./sink.js";

/** A codec of a proto3 message with one field, `f1`. */
function codecOf(field: object, syntax: "proto2" | "proto3" = "proto3") {
  return codecFor(makeMessages(syntax, { M: { fields: [field] }, N: { fields: [{ type: Type.STRING }] } })("M"));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function encode(field: object, value: unknown): string {
  return hex(codecOf(field).toBytes({ f1: value } as never));
}

describe("singular fields", () => {
  test.each<[name: string, type: Type, value: unknown, bytes: string]>([
    ["int32", Type.INT32, 300, "08ac02"],
    ["int32 below zero", Type.INT32, -1, "08ffffffffffffffffff01"],
    ["int32, least", Type.INT32, -0x80000000, "0880808080f8ffffffff01"],
    ["uint32, most", Type.UINT32, 0xffffffff, "08ffffffff0f"],
    ["sint32", Type.SINT32, -2, "0803"],
    ["int64", Type.INT64, -1n, "08ffffffffffffffffff01"],
    ["int64 of a number", Type.INT64, 5, "0805"],
    ["int64 of text", Type.INT64, "-1", "08ffffffffffffffffff01"],
    ["int64 over 32 bits", Type.INT64, 2n ** 32n, "088080808010"],
    ["uint64, most", Type.UINT64, 2n ** 64n - 1n, "08ffffffffffffffffff01"],
    ["sint64, least", Type.SINT64, -(2n ** 63n), "08ffffffffffffffffff01"],
    ["fixed32", Type.FIXED32, 0x01020304, "0d04030201"],
    ["sfixed32", Type.SFIXED32, -2, "0dfeffffff"],
    ["fixed64", Type.FIXED64, 0x0102030405060708n, "090807060504030201"],
    ["sfixed64", Type.SFIXED64, -2n, "09feffffffffffffff"],
    ["float", Type.FLOAT, 1.5, "0d0000c03f"],
    ["double", Type.DOUBLE, -0, "090000000000000080"],
    ["bool", Type.BOOL, true, "0801"],
    ["string", Type.STRING, "äx", "0a03c3a478"],
    ["string with a lone surrogate", Type.STRING, "\ud800", "0a03efbfbd"],
    ["bytes", Type.BYTES, Uint8Array.of(1, 2), "0a020102"],
    ["bytes of numbers", Type.BYTES, [1, 2], "0a020102"],
    ["bytes of a Buffer", Type.BYTES, Buffer.from([3]), "0a0103"],
  ])("%s", (_name, type, value, bytes) => {
    expect(encode({ type }, value)).toBe(bytes);
  });

  test("an enum, also with a number that it does not have", () => {
    expect(encode({ type: Type.ENUM, typeName: ".t.E" }, 1)).toBe("0801");
    expect(encode({ type: Type.ENUM, typeName: ".t.E" }, 7)).toBe("0807");
  });

  test("a message, also as an init, also empty", () => {
    const field = { type: Type.MESSAGE, typeName: ".t.N" };
    expect(encode(field, { f1: "a" })).toBe("0a030a0161");
    expect(encode(field, {})).toBe("0a00");
  });

  test.each([Type.INT32, Type.INT64, Type.DOUBLE, Type.FLOAT, Type.BOOL, Type.STRING, Type.BYTES])(
    "type %i writes nothing for zero, undefined and null",
    (type) => {
      const codec = codecOf({ type });
      const zero = codec.create() as unknown as { f1: unknown };
      expect(hex(codec.toBytes({ f1: zero.f1 } as never))).toBe("");
      expect(hex(codec.toBytes({ f1: undefined } as never))).toBe("");
      expect(hex(codec.toBytes({ f1: null } as never))).toBe("");
    },
  );

  test("a field that may be absent is written when it is zero", () => {
    const codec = codecOf({ type: Type.STRING }, "proto2");
    expect(hex(codec.toBytes({ f1: "" } as never))).toBe("0a00");
    expect(hex(codec.toBytes(codec.create()))).toBe("");
  });

  test("a field with the name of an inherited property is not there unless the object has it", () => {
    const codec = codecOf({ type: Type.STRING, name: "has_own_property" });
    expect(hex(codec.toBytes({} as never))).toBe("");
    expect(hex(codec.toBytes({ hasOwnProperty: "x" } as never))).toBe("0a0178");
  });
});

describe("text of any length", () => {
  // Around the places where the length needs another byte, and where text is written in another way.
  test.each([0, 1, 20, 21, 41, 42, 43, 127, 128, 1023, 1024, 5461, 5462, 16383, 16384, 70000])(
    "%i characters",
    (length) => {
      const schema = makeMessages("proto3", { M: { fields: [{ type: Type.STRING }, { type: Type.STRING }] } })("M");
      // The last is half of a surrogate pair.
      for (const unit of ["x", "ä", "€", "\ud83d"]) {
        const init = { f1: unit.repeat(length), f2: "end" } as never;
        expect(Buffer.compare(codecFor(schema).toBytes(init), toBinary(schema, create(schema, init)))).toBe(0);
      }
    },
  );
});

describe("lists, maps and oneofs", () => {
  test("packed and unpacked lists", () => {
    expect(encode({ type: Type.INT32, label: 3 }, [1, 300])).toBe("0a0301ac02");
    expect(encode({ type: Type.INT32, label: 3, options: { packed: false } }, [1, 300])).toBe("080108ac02");
    expect(encode({ type: Type.INT32, label: 3 }, [])).toBe("");
    expect(encode({ type: Type.STRING, label: 3 }, ["", "a"])).toBe("0a000a0161");
    expect(encode({ type: Type.DOUBLE, label: 3 }, new Float64Array([1]))).toBe("0a08000000000000f03f");
  });

  test("a map, with a key named __proto__", () => {
    const nestedType = [
      {
        name: "F1Entry",
        options: { mapEntry: true },
        field: [
          { name: "key", number: 1, label: 1, type: Type.STRING },
          { name: "value", number: 2, label: 1, type: Type.INT32 },
        ],
      },
    ];
    const field = { type: Type.MESSAGE, typeName: ".t.M.F1Entry", label: 3 };
    const codec = codecFor(makeMessages("proto3", { M: { fields: [field], nestedType } })("M"));
    expect(hex(codec.toBytes({ f1: JSON.parse('{"__proto__":1}') } as never))).toBe("0a0d0a095f5f70726f746f5f5f1001");
    expect(() => codec.toBytes({ f1: new Map([["a", 1]]) } as never)).toThrow(/t\.M\.f1: expected object .*, got Map/);
  });

  test("the chosen field of a oneof, among fields numbered before and behind", () => {
    const fields = [
      { name: "a", number: 1, type: Type.STRING, oneofIndex: 0 },
      { name: "b", number: 2, type: Type.STRING },
      { name: "c", number: 3, type: Type.STRING, oneofIndex: 0 },
    ];
    const codec = codecFor(makeMessages("proto3", { M: { fields, oneofs: ["choice"] } })("M"));
    expect(hex(codec.toBytes({ b: "x", choice: { case: "a", value: "" } } as never))).toBe("0a00120178");
    expect(hex(codec.toBytes({ b: "x", choice: { case: "c", value: "y" } } as never))).toBe("1201781a0179");
    expect(hex(codec.toBytes({ b: "x", choice: { case: undefined } } as never))).toBe("120178");
    expect(hex(codec.toBytes({ b: "x" } as never))).toBe("120178");
  });

  test("groups", () => {
    const field = { type: Type.GROUP, typeName: ".t.N" };
    expect(hex(codecOf(field, "proto2").toBytes({ f1: { f1: "a" } } as never))).toBe("0b0a01610c");
  });
});

describe("values that do not fit", () => {
  test.each<[type: Type, value: unknown, message: string]>([
    [Type.STRING, 5, "expected string, got number 5"],
    [Type.BOOL, 1, "expected boolean, got number 1"],
    [Type.INT32, 2 ** 31, "expected int32, got number 2147483648"],
    [Type.INT32, 1.5, "expected int32, got number 1.5"],
    [Type.UINT32, -1, "expected uint32, got number -1"],
    [Type.INT64, 2n ** 63n, "expected int64, got bigint 9223372036854775808"],
    [Type.INT64, 1.5, "expected int64, got number 1.5"],
    [Type.UINT64, -1n, "expected uint64, got bigint -1"],
    [Type.FLOAT, 1e300, "expected float, got number 1e+300"],
    [Type.DOUBLE, "x", "expected double, got string"],
    [Type.BYTES, "x", "expected Uint8Array, got string"],
    [Type.BYTES, new Uint16Array(1), "expected Uint8Array, got Uint16Array"],
  ])("type %i refuses %o", (type, value, message) => {
    expect(() => encode({ type }, value)).toThrow(new CodecError(`cannot encode field t.M.f1: ${message}`));
  });

  test("bytes whose memory is gone are not sent as if they were empty", () => {
    const gone = new Uint8Array(100);
    gone.buffer.transfer();
    const text = "cannot encode field t.M.f1: the memory of these bytes was given back or transferred";
    const codecs = [
      codecOf({ type: Type.BYTES }),
      codecOf({ type: Type.BYTES, proto3Optional: true, oneofIndex: 0 }),
      codecOf({ type: Type.BYTES }, "proto2"),
    ];
    for (const codec of codecs) expect(() => codec.toBytes({ f1: gone } as never)).toThrow(new CodecError(text));
    expect(() => encode({ type: Type.BYTES, label: 3 }, [gone])).toThrow(new CodecError(text));
    expect(encode({ type: Type.BYTES }, new Uint8Array())).toBe("");
    expect(encode({ type: Type.BYTES, label: 3 }, [new Uint8Array(), Buffer.alloc(0)])).toBe("0a000a00");
  });

  test("lists and messages say what they got", () => {
    const message = { type: Type.MESSAGE, typeName: ".t.N" };
    expect(() => encode({ type: Type.INT32, label: 3 }, 5)).toThrow(
      "cannot encode field t.M.f1: expected array, got number 5",
    );
    expect(() => encode(message, "x")).toThrow("cannot encode field t.M.f1: expected message t.N, got string");
    expect(() => encode(message, { $typeName: "t.Other" })).toThrow("expected message t.N, got message t.Other");
    expect(() => encode(message, [])).toThrow("expected message t.N, got array");
    expect(() => codecOf(message).toBytes(undefined as never)).toThrow("expected message t.M, got undefined");
  });

  test("a required field that is missing", () => {
    const codec = codecOf({ type: Type.INT32, label: 2 }, "proto2");
    expect(() => codec.toBytes(codec.create())).toThrow("cannot encode field t.M.f1: required field is not set");
    expect(hex(codec.toBytes({ f1: 0 } as never))).toBe("0800");
  });

  test("a message that contains itself is an error of ours, and leaves the sink as it was", () => {
    const fields = [{ type: Type.BYTES }, { type: Type.MESSAGE, typeName: ".t.M" }];
    const codec = codecFor(makeMessages("proto3", { M: { fields } })("M"));
    const message = codec.create({ f1: new Uint8Array(5000) } as never) as unknown as { f2: unknown };
    message.f2 = message;
    const sink = new Sink();
    sink.uint32(7);
    expect(() => codec.encode(message as never, sink)).toThrow(CodecError);
    expect([sink.at, sink.attached, sink.attachments.length]).toEqual([1, 0, 0]);
  });

  test("a getter that encodes the same type does not disturb the outer message", () => {
    const codec = codecOf({ type: Type.STRING });
    const init = {
      get f1() {
        return `inner ${hex(codec.toBytes({ f1: "a" } as never))}`;
      },
    };
    expect(Buffer.from(codec.toBytes(init as never)).toString("latin1")).toBe("\n\x0cinner 0a0161");
  });
});

describe("large bytes", () => {
  test("are attached, not copied, and counted in the length of every message around them", () => {
    const fields = [{ type: Type.BYTES }, { type: Type.MESSAGE, typeName: ".t.M" }];
    const schema = makeMessages("proto3", { M: { fields } })("M");
    const codec = codecFor(schema);
    const data = new Uint8Array(4096).fill(9);
    const init = { f1: data, f2: { f1: data.subarray(0, 4095), f2: { f1: data } } } as never;
    const sink = new Sink(Buffer.alloc(8));
    codec.encode(init, sink);
    expect(sink.attachments.map((attachment) => attachment.data)).toEqual([data, data]);
    expect(sink.attachments[0]?.data).toBe(data);
    expect(Buffer.compare(sink.toBytes(), toBinary(schema, create(schema, init)))).toBe(0);
  });
});
