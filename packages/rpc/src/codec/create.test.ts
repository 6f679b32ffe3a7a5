// Messages made here must be the ones that protobuf-es makes: its own functions go by their properties and prototypes.
import { clearField, create, equals, isFieldSet } from "@bufbuild/protobuf";
import {
  FeatureSet_FieldPresence,
  FieldDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { codecFor } from "./codec.js";
import { difference } from "./difference.test.support.js";
import { makeMessages } from "./schema-builder.test.support.js";

const fields = [
  { type: Type.STRING },
  { type: Type.INT64 },
  { type: Type.INT64, options: { jstype: 1 } },
  { type: Type.BYTES },
  { type: Type.BOOL },
  { type: Type.DOUBLE },
  { type: Type.ENUM, typeName: ".t.E" },
  { type: Type.MESSAGE, typeName: ".t.M" },
  { type: Type.STRING, label: 3 },
  { name: "choice_a", type: Type.STRING, oneofIndex: 0 },
  { name: "choice_b", type: Type.BYTES, oneofIndex: 0 },
  { type: Type.MESSAGE, typeName: ".google.protobuf.BytesValue" },
  { type: Type.MESSAGE, typeName: ".google.protobuf.Struct" },
];

test.each(["proto2", "proto3", "editions"] as const)("zero messages of %s", (syntax) => {
  const schema = makeMessages(syntax, { M: { fields, oneofs: ["choice"] } })("M");
  expect(difference(codecFor(schema).create(), create(schema))).toBeUndefined();
  expect(Object.keys(codecFor(schema).create())).toEqual(Object.keys(create(schema)));
});

test("editions without presence", () => {
  const features = { fieldPresence: FeatureSet_FieldPresence.IMPLICIT };
  const schema = makeMessages("editions", { M: { fields, oneofs: ["choice"] } }, features)("M");
  expect(difference(codecFor(schema).create(), create(schema))).toBeUndefined();
  expect(Object.getPrototypeOf(codecFor(schema).create())).toBe(Object.prototype);
});

test("inits are converted as deep as they go", () => {
  const schema = makeMessages("proto3", { M: { fields, oneofs: ["choice"] } })("M");
  const init = {
    f4: [1, 2],
    f8: { f1: "a", f8: { choice: { case: "choiceB", value: [3] } } },
    f9: ["x"],
    choice: { case: "choiceA", value: "y" },
    f12: [4],
    f13: { a: [1, null] },
  } as never;
  expect(difference(codecFor(schema).create(init), create(schema, init))).toBeUndefined();
  expect(codecFor(schema).create({ choice: { case: "other", value: 1 } } as never)).toMatchObject({
    choice: { case: undefined },
  });
});

test("a message of the type is returned as it is", () => {
  const schema = makeMessages("proto3", { M: { fields: [{ type: Type.STRING }] } })("M");
  const message = create(schema);
  expect(codecFor(schema).create(message)).toBe(message);
});

test("lists, maps and oneofs are not shared between messages", () => {
  const schema = makeMessages("proto3", { M: { fields, oneofs: ["choice"] } })("M");
  const [a, b] = [codecFor(schema).create(), codecFor(schema).create()] as unknown as {
    f9: string[];
    choice: object;
  }[];
  a?.f9.push("x");
  expect(b?.f9).toEqual([]);
  expect(a?.choice).not.toBe(b?.choice);
});

test("presence works with the functions of protobuf-es, defaults included", () => {
  const codec = codecFor(FieldDescriptorProtoSchema);
  const field = FieldDescriptorProtoSchema.field;
  const message = codec.create({ name: "a" });
  expect(isFieldSet(message, field.name)).toBe(true);
  expect(isFieldSet(message, field.number)).toBe(false);
  expect(message.number).toBe(0);
  clearField(message, field.name);
  expect(message.name).toBe("");
  expect(equals(FieldDescriptorProtoSchema, message, create(FieldDescriptorProtoSchema))).toBe(true);
  const bytes = codec.toBytes({ number: 0 });
  const decoded = codec.decode(bytes, 0, bytes.length);
  expect(isFieldSet(decoded, field.number)).toBe(true);
  expect(isFieldSet(decoded, field.label)).toBe(false);
});

test("defaults of proto2 are those of the schema", () => {
  const withDefaults = [
    { type: Type.STRING, defaultValue: "d" },
    { type: Type.INT64, defaultValue: "7" },
    { type: Type.INT64, defaultValue: "7", options: { jstype: 1 } },
    { type: Type.ENUM, typeName: ".t.E", defaultValue: "ONE" },
  ];
  const schema = makeMessages("proto2", { M: { fields: withDefaults } })("M");
  const message = codecFor(schema).create();
  expect(message).toMatchObject({ f1: "d", f2: 7n, f3: "7", f4: 1 });
  expect(codecFor(schema).toBytes(message)).toHaveLength(0);
});
