// Random messages of a protobuf-es descriptor. Tests nothing itself.
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { Draw } from "./random-schema.test.support.js";

/** A random init of a message; some members missing, bytes also as numbers. */
export function drawInit(draw: Draw, desc: DescMessage, depth = 0): Record<string, unknown> {
  const init: Record<string, unknown> = {};
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      if (draw(fc.boolean())) continue;
      const field = draw(fc.constantFrom(...member.fields));
      if (field.message !== undefined && depth > 3) continue;
      init[member.localName] = { case: field.localName, value: drawValue(draw, field, depth) };
      continue;
    }
    const required = (member.presence as number) === 3;
    if (!required && draw(fc.integer({ min: 0, max: 2 })) === 0) continue;
    if (!required && member.message !== undefined && depth > 3) continue;
    if (member.fieldKind === "list") {
      const size = draw(fc.integer({ min: 0, max: 4 }));
      init[member.localName] = Array.from({ length: size }, () => drawValue(draw, member, depth));
    } else if (member.fieldKind === "map") {
      const record: Record<string, unknown> = {};
      for (let i = draw(fc.integer({ min: 0, max: 3 })); i > 0; i--) {
        const key = String(draw(keyOf(member.mapKey)));
        Object.defineProperty(record, key, {
          value: drawValue(draw, member, depth),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      init[member.localName] = record;
    } else init[member.localName] = drawValue(draw, member, depth);
  }
  return init;
}

function drawValue(draw: Draw, field: DescField, depth: number): unknown {
  if (field.enum !== undefined) return draw(enumOf(field.enum));
  if (field.message === undefined) return draw(scalarOf(field.scalar as number, longAsText(field)));
  const name = field.message.typeName;
  if (name === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") return draw(jsonObject);
  if (name.endsWith("Value") && name !== "google.protobuf.Value" && field.fieldKind === "message" && !field.oneof) {
    return draw(scalarOf(field.message.fields[0]?.scalar as number, false));
  }
  return drawInit(draw, field.message, depth + 1);
}

function longAsText(field: DescField): boolean {
  return "longAsString" in field && field.longAsString;
}

const jsonValue = fc.jsonValue({ maxDepth: 3 });
const jsonObject = fc.dictionary(fc.oneof(fc.constant("__proto__"), fc.string({ maxLength: 5 })), jsonValue, {
  maxKeys: 3,
});

/** Numbers of an enum, and where it is open also others. */
function enumOf(desc: DescEnum): fc.Arbitrary<number> {
  const known = fc.constantFrom(...desc.values.map((value) => value.number));
  return desc.open ? fc.oneof(known, int32) : known;
}

const int32 = fc.oneof(fc.integer({ min: -2, max: 300 }), fc.integer({ min: -0x80000000, max: 0x7fffffff }));
const uint32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffffffff }));
const int64 = fc.oneof(fc.bigInt(-2n, 300n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));
const uint64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 64n - 1n));
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  // Lone surrogates, which have no UTF-8.
  fc.constantFrom(
    "",
    "__proto__",
    "\ufffd",
    "a\ud800b",
    "\ufeffbom",
    "x".repeat(127),
    "ä".repeat(70),
    "y".repeat(3000),
  ),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom(200, 5000).map((size) => new Uint8Array(size).fill(7)),
);

/** A value for a scalar. */
export function scalarOf(scalar: number, longAsString: boolean): fc.Arbitrary<unknown> {
  const long = (values: fc.Arbitrary<bigint>) => (longAsString ? values.map(String) : values);
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.FLOAT:
      return fc.oneof(fc.float(), fc.constantFrom(0, -0, Number.NaN));
    case ScalarType.DOUBLE:
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return long(int64);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return long(uint64);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    default:
      return int32;
  }
}

function keyOf(scalar: number): fc.Arbitrary<unknown> {
  return scalar === ScalarType.STRING
    ? fc.oneof(fc.constant("__proto__"), fc.string({ maxLength: 8 }))
    : scalarOf(scalar, false);
}
