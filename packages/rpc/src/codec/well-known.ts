// Message fields whose local value is not the message: wrappers (the bare scalar) and google.protobuf.Struct (JSON).
// Converts between the two forms; the message form is what gets encoded and decoded.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Fields } from "./cursor.js";
import { isObject, setOwn } from "./scalar.js";

/** Converts between a field's local value and the message that is on the wire. */
export interface LocalForm {
  /** The message for a local value; a zero message for `undefined`. */
  toMessage(local: unknown): Fields;
  /** The local value of a message. */
  toLocal(message: Fields): unknown;
}

const wrappers = new Set(
  ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map(
    (name) => `google.protobuf.${name}Value`,
  ),
);

/** Whether a field holds the bare scalar of a wrapper: singular, not in a oneof. */
export function isUnwrapped(field: DescField): boolean {
  if (field.fieldKind !== "message" || field.oneof !== undefined || !wrappers.has(field.message.typeName)) return false;
  const value = field.message.fields[0];
  return value?.fieldKind === "scalar" && value.name === "value" && value.number === 1;
}

/** Whether a field holds a `google.protobuf.Struct` as a JSON object: everywhere but within `google.protobuf.Value`. */
export function isJson(field: DescField): boolean {
  return field.message?.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value";
}

/** The local form of a message field; undefined where the local value is the message. */
export function localForm(field: DescField, zero: (desc: DescMessage) => Fields): LocalForm | undefined {
  if (isJson(field)) return { toMessage: jsonToStruct, toLocal: structToJson };
  if (!isUnwrapped(field)) return undefined;
  const desc = field.message as DescMessage;
  const name = desc.fields[0]?.localName as string;
  return {
    toMessage(local) {
      const message = zero(desc);
      if (local !== undefined) message[name] = local;
      return message;
    },
    toLocal: (message) => message[name],
  };
}

function jsonToStruct(json: unknown): Fields {
  const fields: Fields = {};
  if (isObject(json)) {
    for (const key of Object.keys(json)) setOwn(fields, key, jsonToValue(json[key]));
  }
  return { $typeName: "google.protobuf.Struct", fields };
}

function jsonToValue(json: unknown): Fields {
  return { $typeName: "google.protobuf.Value", kind: kindOf(json) };
}

function kindOf(json: unknown): { case: string | undefined; value?: unknown } {
  switch (typeof json) {
    case "number":
      return { case: "numberValue", value: json };
    case "string":
      return { case: "stringValue", value: json };
    case "boolean":
      return { case: "boolValue", value: json };
    case "object":
      if (json === null) return { case: "nullValue", value: 0 };
      if (!Array.isArray(json)) return { case: "structValue", value: jsonToStruct(json) };
      return { case: "listValue", value: { $typeName: "google.protobuf.ListValue", values: json.map(jsonToValue) } };
    default:
      return { case: undefined };
  }
}

function structToJson(message: Fields): Fields {
  const json: Fields = {};
  const fields = message["fields"] as Record<string, Fields>;
  for (const key of Object.keys(fields)) setOwn(json, key, valueToJson(fields[key] as Fields));
  return json;
}

function valueToJson(message: Fields): unknown {
  const kind = message["kind"] as { case: string | undefined; value?: unknown };
  switch (kind.case) {
    case "structValue":
      return structToJson(kind.value as Fields);
    case "listValue":
      return (kind.value as { values: Fields[] }).values.map(valueToJson);
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}
