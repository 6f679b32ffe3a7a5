// Corners of decoding that a random test does not surely meet, and the texts of errors.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FeatureSet_EnumType, TimestampSchema, FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { codecFor } from "./codec.js";
import { CodecError } from "./codec-error.js";
import { makeMessages } from "./schema-builder.test.support.js";

const mapEntry = (key: Type, value: object) => [
  {
    name: "MapEntry",
    options: { mapEntry: true },
    field: [
      { name: "key", number: 1, label: 1, type: key },
      { name: "value", number: 2, label: 1, ...value },
    ],
  },
];

/** A message with a field of many kinds. */
const schema = makeMessages("proto3", {
  M: {
    fields: [
      { name: "text", type: Type.STRING },
      { name: "data", type: Type.BYTES },
      { name: "child", type: Type.MESSAGE, typeName: ".t.M" },
      { name: "numbers", type: Type.INT32, label: 3 },
      { name: "map", type: Type.MESSAGE, typeName: ".t.M.MapEntry", label: 3 },
      { name: "a", type: Type.MESSAGE, typeName: ".t.M", oneofIndex: 0 },
      { name: "b", type: Type.INT64, oneofIndex: 0 },
      { name: "wrapped", type: Type.MESSAGE, typeName: ".google.protobuf.StringValue" },
      { name: "json", type: Type.MESSAGE, typeName: ".google.protobuf.Struct" },
      { name: "doubles", type: Type.DOUBLE, label: 3 },
    ],
    oneofs: ["choice"],
    nestedType: mapEntry(Type.STRING, { type: Type.BYTES }),
  },
})("M");
const codec = codecFor(schema);

function decode(hex: string): Record<string, unknown> {
  const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  const message = codec.decode(bytes, 0, bytes.length);
  expect(message).toEqual(fromBinary(schema, bytes, { readUnknownFields: false }));
  return message as unknown as Record<string, unknown>;
}

function refusal(hex: string): string {
  const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  expect(() => fromBinary(schema, bytes)).toThrow();
  try {
    codec.decode(bytes, 0, bytes.length);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return (error as Error).message;
  }
  return "accepted";
}

describe("merging", () => {
  test("a message field that occurs twice", () => {
    expect(decode("1a03 0a0161 1a03 220101")).toMatchObject({ child: { text: "a", numbers: [1] } });
  });

  test("a message in a oneof that occurs twice, and one that another case came between", () => {
    expect(decode("3203 0a0161 3203 220101")).toMatchObject({
      choice: { case: "a", value: { text: "a", numbers: [1] } },
    });
    expect(decode("3203 0a0161 3801 3203 220101")).toMatchObject({ choice: { case: "a", value: { text: "" } } });
  });

  test("wrappers and JSON objects", () => {
    expect(decode("4203 0a0161 4200")).toMatchObject({ wrapped: "a" });
    const halves = [
      { a: 1, b: [null, "x"] },
      { b: { __proto: true }, c: false },
    ];
    const bytes = halves.map((json) =>
      Buffer.from(toBinary(schema, create(schema, { json } as never))).toString("hex"),
    );
    expect(decode(bytes.join("")).json).toEqual({ ...halves[0], ...halves[1] });
  });
});

describe("lists", () => {
  test("packed, unpacked and mixed", () => {
    expect(decode("2202 0102 2003 2201 04").numbers).toEqual([1, 2, 3, 4]);
  });

  test("packed doubles, few and many", () => {
    for (const count of [1, 7, 8, 9, 1000]) {
      const doubles = Array.from({ length: count }, (_, i) => i / 3);
      const bytes = toBinary(schema, create(schema, { doubles } as never));
      expect(codec.decode(bytes, 0, bytes.length)).toMatchObject({ doubles });
    }
  });
});

describe("maps", () => {
  test("__proto__ is a key like others", () => {
    const map = decode("2a0e 0a09 5f5f70726f746f5f5f 1201 01").map as object;
    expect(Object.keys(map)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect(({} as { 0?: unknown })[0]).toBeUndefined();
  });

  test("entries without key or value, with fields of other numbers, and with a key twice", () => {
    expect(decode("2a00").map).toEqual({ "": new Uint8Array() });
    expect(decode("2a06 0a0161 1a0178").map).toEqual({ a: new Uint8Array() });
    expect(decode("2a06 0a0161 0a0162").map).toEqual({ b: new Uint8Array() });
  });
});

describe("bytes", () => {
  const decodeData = (size: number, rest: number) => {
    const field = Buffer.from(toBinary(schema, create(schema, { data: new Uint8Array(size).fill(5) } as never)));
    const buffer = Buffer.alloc(field.length + rest);
    field.copy(buffer);
    const whole = new Uint8Array(buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length));
    const { data } = codec.decode(whole, 0, field.length) as unknown as { data: Uint8Array };
    expect(data).toEqual(new Uint8Array(size).fill(5));
    expect(data.constructor).toBe(Uint8Array);
    return { data, viewed: data.buffer === whole.buffer };
  };

  test("are a view when they are at least a quarter of the memory, else a copy", () => {
    // Tag and length are three bytes.
    expect(decodeData(1000, 3000 - 3).viewed).toBe(true);
    expect(decodeData(1000, 3001 - 3).viewed).toBe(false);
    expect(decodeData(64, 0).viewed).toBe(false);
    expect(decodeData(0, 0).data.buffer.byteLength).toBe(0);
  });

  test("of a Buffer are no Buffer", () => {
    const bytes = Buffer.from(toBinary(schema, create(schema, { data: new Uint8Array(100) } as never)));
    const { data } = codec.decode(bytes, 0, bytes.length) as unknown as { data: Uint8Array };
    expect(Buffer.isBuffer(data)).toBe(false);
  });
});

describe("text", () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 24, 25, 100])("of %i characters", (length) => {
    for (const unit of ["x", "ä", "\ufffd", "\u{1f600}"]) {
      const text = unit.repeat(length);
      const bytes = toBinary(schema, create(schema, { text } as never));
      expect(codec.decode(bytes, 0, bytes.length)).toMatchObject({ text });
    }
  });

  test("begins with a byte-order mark if it was sent", () => {
    expect(decode("0a04 efbbbf61").text).toBe("\ufeffa");
  });

  test.each(["ff", "c3", "eda080", "f4908080", "c080", `${"61".repeat(40)}ff`])("refuses %s", (bytes) => {
    const length = (bytes.length / 2).toString(16).padStart(2, "0");
    expect(refusal(`0a${length}${bytes}`)).toMatch(/: invalid UTF-8 at offset 2 \(field text\)$/);
  });

  test("is repaired where the schema does not ask for valid text", () => {
    const loose = makeMessages("proto2", { M: { fields: [{ type: Type.STRING }] } })("M");
    const bytes = Buffer.from("0a04 61ff62c3".replaceAll(" ", ""), "hex");
    expect(codecFor(loose).decode(bytes, 0, 6)).toMatchObject({ f1: "a\ufffdb\ufffd" });
  });
});

describe("what is refused", () => {
  test.each<[bytes: string, message: RegExp]>([
    ["0a05 6161", /^cannot decode t\.M from 4 bytes: truncated at offset 4 \(field text\)$/],
    ["1a04 0a05 6161", /truncated at offset 6 \(field child\.text\)$/],
    ["1a10 0a00", /truncated at offset 4 \(field child\)$/],
    ["2210 01", /truncated at offset 3 \(field numbers\)$/],
    ["20", /truncated at offset 1/],
    ["80", /truncated at offset 1$/],
    ["0000", /illegal tag \(field 0, wire type 0\) at offset 0$/],
    ["0e00", /illegal tag \(field 1, wire type 6\) at offset 0$/],
    ["8080808010 00", /tag over 32 bits at offset 0$/],
    ["888080808000 00", /tag over 32 bits at offset 0$/],
    ["20 ffffffffffffffffffff01", /varint of more than 10 bytes at offset 11 \(field numbers\)$/],
    ["7c", /end of a group that was not begun/],
    ["7b 7c00", /^cannot decode t\.M from 3 bytes/],
    ["7b 8401", /end of another group/],
    ["7b", /truncated at offset 1/],
  ])("%s", (bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  test("ranges outside of the bytes", () => {
    for (const [start, end] of [
      [-1, 2],
      [2, 1],
      [0, 5],
      [Number.NaN, 1],
      [0, Number.NaN],
    ] as const) {
      expect(() => codec.decode(new Uint8Array(4), start, end)).toThrow(CodecError);
    }
  });
});

describe("nesting", () => {
  const nested = (depth: number): Uint8Array => {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < depth; i++) {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
      bytes = Buffer.concat([Buffer.from([0x1a, ...length]), bytes]);
    }
    return bytes;
  };
  const groups = (depth: number): Uint8Array => Buffer.concat([Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]);

  test("of messages: 99 in the outermost, not 100", () => {
    expect(() => codec.decode(nested(99), 0, nested(99).length)).not.toThrow();
    expect(() => fromBinary(schema, nested(99))).not.toThrow();
    expect(refusal(Buffer.from(nested(100)).toString("hex"))).toMatch(/more than 100 messages in each other/);
  });

  test("of unknown groups counts too", () => {
    expect(() => codec.decode(groups(99), 0, 198)).not.toThrow();
    expect(() => fromBinary(schema, groups(99))).not.toThrow();
    expect(refusal(Buffer.from(groups(100)).toString("hex"))).toMatch(/more than 100 messages in each other/);
  });

  test("a refused message does not change what the next may do", () => {
    refusal(Buffer.from(nested(150)).toString("hex"));
    expect(() => codec.decode(nested(99), 0, nested(99).length)).not.toThrow();
  });
});

describe("unknown fields", () => {
  const other = makeMessages("proto3", {
    M: {
      fields: [
        { number: 15, type: Type.STRING },
        { number: 20, type: Type.INT32 },
      ],
    },
  })("M");
  const bytes = toBinary(other, create(other, { f1: "kept", f2: 5 } as never));

  test("are dropped unless asked for", () => {
    const message = codec.decode(bytes, 0, bytes.length);
    expect(message.$unknown).toBeUndefined();
    expect(codec.toBytes(message)).toHaveLength(0);
  });

  test("are kept on request, do not keep the received memory, and are written back", () => {
    const keeping = codecFor(schema, { keepUnknown: true });
    const buffer = Buffer.concat([bytes, Buffer.alloc(1000)]);
    const message = keeping.decode(buffer, 0, bytes.length);
    expect(message).toEqual(fromBinary(schema, bytes));
    expect(message.$unknown?.[0]?.data.buffer).not.toBe(buffer.buffer);
    expect(Buffer.compare(keeping.toBytes(message), bytes)).toBe(0);
    expect(codecFor(schema, { keepUnknown: true })).toBe(keeping);
    expect(codecFor(schema)).not.toBe(keeping);
  });

  test("numbers that a closed enum does not have are unknown fields, beside others", () => {
    const features = { enumType: FeatureSet_EnumType.CLOSED };
    const closed = makeMessages("editions", { M: { fields: [{ type: Type.ENUM, typeName: ".t.E" }] } }, features)("M");
    const input = Uint8Array.of(0x08, 0x07, 0x08, 0x01, 0x10, 0x05);
    expect(codecFor(closed).decode(input, 0, 6)).toMatchObject({ f1: 1 });
    const kept = codecFor(closed, { keepUnknown: true }).decode(input, 0, 6);
    // protobuf-es 2.17 loses the first of the two.
    expect(kept.$unknown).toEqual([
      { no: 1, wireType: 0, data: Uint8Array.of(7) },
      { no: 2, wireType: 0, data: Uint8Array.of(5) },
    ]);
  });
});

test("a message of a well-known type names itself", () => {
  const bytes = Uint8Array.of(0x08, 0x01, 0x10, 0x80);
  expect(() => codecFor(TimestampSchema).decode(bytes, 0, 4)).toThrow(
    new CodecError("cannot decode google.protobuf.Timestamp from 4 bytes: truncated at offset 4 (field nanos)"),
  );
});
