// Random protobuf-es descriptors: fields of every kind, in proto2, proto3 and editions. Tests nothing itself.
import { create, type DescFile } from "@bufbuild/protobuf";
import {
  Edition,
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSet_Utf8Validation,
  FeatureSetSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptions_JSType,
  FieldOptionsSchema,
  FileOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { makeFile } from "./schema-builder.test.support.js";

/** Draws a value of an arbitrary, within a property that has `fc.gen()`. */
export type Draw = <T>(arbitrary: fc.Arbitrary<T>) => T;

const foreign = [
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.Timestamp",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
  "google.protobuf.Int64Value",
  "google.protobuf.DoubleValue",
];

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
  const base = {
    name: `${draw(fc.constantFrom("f", "a_field", "_"))}${number}`,
    number,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
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
  // A required message would have to contain itself without end.
  if (kind === "required" && syntax === "proto2" && field.typeName === undefined)
    field.label = FieldDescriptorProto_Label.REQUIRED;
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
