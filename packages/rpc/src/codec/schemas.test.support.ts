// Schemas and messages for the codec's tests, hand-made and random, and a comparison stricter than `equals`. Tests nothing itself.
import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  Edition,
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSet_Utf8Validation,
  FeatureSetSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptions_JSType,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileOptionsSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/** Draws a value of an arbitrary, within a property that has `fc.gen()`. */
export type Draw = <T>(arbitrary: fc.Arbitrary<T>) => T;

type FieldInit = Parameters<typeof create<typeof FieldDescriptorProtoSchema>>[1];

const imports: readonly DescFile[] = [
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];
const foreign = [
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.Timestamp",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
  "google.protobuf.Int64Value",
  "google.protobuf.DoubleValue",
];

/** Makes the descriptor of a file from its parts. */
export function makeFile(
  parts: Omit<Parameters<typeof create<typeof FileDescriptorProtoSchema>>[1] & object, "$typeName">,
): DescFile {
  const proto = create(FileDescriptorProtoSchema, { name: "t.proto", package: "t", ...parts } as never);
  proto.dependency = imports.map((file) => file.proto.name);
  const registry = createFileRegistry(proto, (name) => imports.find((file) => file.proto.name === name));
  return registry.getFile("t.proto") as DescFile;
}

/** A random file of three messages, which contain each other, and two enums. */
export function drawFile(draw: Draw): DescFile {
  const syntax = draw(fc.constantFrom("proto3", "proto3", "proto2", "editions"));
  const messages = ["M0", "M1", "M2"].map((name) => drawMessage(draw, name, syntax));
  const first = syntax === "proto3" ? 0 : draw(fc.constantFrom(0, 2));
  const features = syntax === "editions" ? drawFeatures(draw, first === 0) : undefined;
  return makeFile({
    syntax,
    ...(syntax === "editions" ? { edition: Edition.EDITION_2023 } : {}),
    ...(features === undefined ? {} : { options: create(FileOptionsSchema, { features }) }),
    messageType: messages as never,
    enumType: [
      {
        name: "E",
        value: [
          { name: "E_FIRST", number: first },
          { name: "E_ONE", number: 1 },
          { name: "E_NEGATIVE", number: -3 },
          { name: "E_LARGE", number: 70000 },
        ],
      },
    ] as never,
  });
}

function drawFeatures(draw: Draw, openable: boolean) {
  return create(FeatureSetSchema, {
    fieldPresence: draw(
      fc.constantFrom(FeatureSet_FieldPresence.EXPLICIT, ...(openable ? [FeatureSet_FieldPresence.IMPLICIT] : [])),
    ),
    enumType: openable ? FeatureSet_EnumType.OPEN : FeatureSet_EnumType.CLOSED,
    repeatedFieldEncoding: draw(
      fc.constantFrom(FeatureSet_RepeatedFieldEncoding.PACKED, FeatureSet_RepeatedFieldEncoding.EXPANDED),
    ),
    utf8Validation: draw(fc.constantFrom(FeatureSet_Utf8Validation.VERIFY, FeatureSet_Utf8Validation.NONE)),
    messageEncoding: draw(
      fc.constantFrom(FeatureSet_MessageEncoding.LENGTH_PREFIXED, FeatureSet_MessageEncoding.DELIMITED),
    ),
  });
}

function drawMessage(draw: Draw, name: string, syntax: string) {
  const numbers = draw(
    fc.uniqueArray(
      fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) },
        fc.constantFrom(2047, 2048, 18999, 536870911),
      ),
      {
        maxLength: 9,
      },
    ),
  );
  const nestedType: object[] = [];
  const field = numbers.map((number) => drawField(draw, number, name, syntax, nestedType));
  const oneofs = ["choice", "other"].filter((_, i) => field.some((f) => f.oneofIndex === i));
  // An index must not point past the oneofs that are there.
  for (const f of field) {
    if (f.oneofIndex !== undefined && !f.proto3Optional) f.oneofIndex = Math.min(f.oneofIndex, oneofs.length - 1);
  }
  const oneofDecl = oneofs.map((oneof) => ({ name: oneof }));
  for (const f of field) {
    if (f.proto3Optional) f.oneofIndex = oneofDecl.push({ name: `_${f.name}` }) - 1;
  }
  return { name, field: field.map((f) => create(FieldDescriptorProtoSchema, f as never)), nestedType, oneofDecl };
}

interface DrawnField {
  name: string;
  number: number;
  label: FieldDescriptorProto_Label;
  type: FieldDescriptorProto_Type;
  typeName?: string;
  oneofIndex?: number;
  proto3Optional?: boolean;
  options?: unknown;
}

function drawField(draw: Draw, number: number, parent: string, syntax: string, nested: object[]): DrawnField {
  const kind = draw(
    fc.constantFrom("singular", "singular", "optional", "required", "oneof", "oneof", "list", "list", "map"),
  );
  // Names that objects inherit, or that are numbers, must not confuse anything.
  const name = draw(fc.constantFrom("f", "f", "f", "a_field", "has_own_property", "_")) + number;
  const base = {
    name: name.startsWith("has") ? "has_own_property" : name,
    number,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
  if (base.name === "has_own_property" && number % 2 === 0) base.name = `f${number}`;
  if (base.name === "has_own_property") base.name = number === 1 ? base.name : `f${number}`;
  if (kind === "map") {
    nested.push({
      name: `Map${number}Entry`,
      options: { mapEntry: true },
      field: [
        {
          name: "key",
          number: 1,
          label: FieldDescriptorProto_Label.OPTIONAL,
          type: draw(fc.constantFrom(...keyTypes)),
        },
        { name: "value", number: 2, label: FieldDescriptorProto_Label.OPTIONAL, ...drawType(draw, syntax, false) },
      ],
    });
    return {
      ...base,
      name: `map${number}`,
      label: FieldDescriptorProto_Label.REPEATED,
      type: FieldDescriptorProto_Type.MESSAGE,
      typeName: `.t.${parent}.Map${number}Entry`,
    };
  }
  const field: DrawnField = { ...base, ...drawType(draw, syntax, kind !== "oneof") };
  if (kind === "list") field.label = FieldDescriptorProto_Label.REPEATED;
  if (kind === "oneof") field.oneofIndex = draw(fc.constantFrom(0, 1));
  if (kind === "optional" && syntax === "proto3") field.proto3Optional = true;
  if (kind === "required" && syntax === "proto2") field.label = FieldDescriptorProto_Label.REQUIRED;
  field.options = drawOptions(draw, field);
  return field;
}

function drawOptions(draw: Draw, field: DrawnField) {
  const options = create(FieldOptionsSchema);
  if (longTypes.includes(field.type) && draw(fc.boolean())) options.jstype = FieldOptions_JSType.JS_STRING;
  const packable = field.label === FieldDescriptorProto_Label.REPEATED && !lengthTypes.includes(field.type);
  // Editions have a feature instead, which the file sets.
  if (packable && field.proto3Optional === undefined && draw(fc.integer({ max: 3, min: 0 })) === 0) {
    options.packed = draw(fc.boolean());
  }
  return options;
}

const types = FieldDescriptorProto_Type;
const lengthTypes = [types.STRING, types.BYTES, types.MESSAGE, types.GROUP];
const longTypes = [types.INT64, types.UINT64, types.SINT64, types.FIXED64, types.SFIXED64];
const scalarTypes = [
  ...longTypes,
  types.INT32,
  types.UINT32,
  types.SINT32,
  types.FIXED32,
  types.SFIXED32,
  types.BOOL,
  types.STRING,
  types.BYTES,
  types.FLOAT,
  types.DOUBLE,
];
const keyTypes = scalarTypes.filter((type) => ![types.BYTES, types.FLOAT, types.DOUBLE].includes(type as never));

function drawType(draw: Draw, syntax: string, groups: boolean) {
  const kind = draw(fc.constantFrom("scalar", "scalar", "scalar", "enum", "message", "foreign"));
  if (kind === "scalar") return { type: draw(fc.constantFrom(...scalarTypes)) };
  if (kind === "enum") return { type: types.ENUM, typeName: ".t.E" };
  if (kind === "foreign") return { type: types.MESSAGE, typeName: `.${draw(fc.constantFrom(...foreign))}` };
  const typeName = `.t.${draw(fc.constantFrom("M0", "M1", "M2"))}`;
  return { type: groups && syntax === "proto2" && draw(fc.boolean()) ? types.GROUP : types.MESSAGE, typeName };
}

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

/** A single-message file for golden tests. */
export function messageOf(syntax: "proto2" | "proto3", fields: readonly FieldInit[], more: object = {}): DescMessage {
  const file = makeFile({ syntax, messageType: [{ name: "M", field: fields, ...more }] as never });
  return file.messages[0] as DescMessage;
}

/** Whether two messages are the same in every property, prototypes included, but for the order of properties. Says where not. */
export function difference(a: unknown, b: unknown, path = ""): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return `${path}: ${String(a)} is not ${String(b)}`;
  }
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || Buffer.compare(a, b) !== 0)
      return `${path}: other bytes`;
    if (Buffer.isBuffer(a)) return `${path}: a Buffer`;
    return undefined;
  }
  if (Array.isArray(a) !== Array.isArray(b)) return `${path}: an array and none`;
  const keys = Object.keys(a).sort();
  if (keys.join() !== Object.keys(b).sort().join())
    return `${path}: has ${keys.join()}, not ${Object.keys(b).sort().join()}`;
  for (const key of keys) {
    const found = difference((a as never)[key], (b as never)[key], `${path}.${key}`);
    if (found !== undefined) return found;
  }
  const [pa, pb] = [Object.getPrototypeOf(a), Object.getPrototypeOf(b)];
  return pa === Object.prototype || pb === Object.prototype || Array.isArray(a)
    ? pa === pb
      ? undefined
      : `${path}: other prototype`
    : difference(pa, pb, `${path}.[prototype]`);
}

export type { FieldDescriptorProto };
