// Compiles the writer of one field: singular, list or map. Whether the field is there at all is decided by encode.ts.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { valueError } from "./codec-error.js";
import { BOOL, DELIMITED, GROUP_END, GROUP_START, IMPLICIT, INT32, STRING } from "./constants.js";
import { factoryOf } from "./create.js";
import { type EncodePlan, encodeMessage } from "./encode-message.js";
import { implicitEnumWriter, implicitWriter, scalarWriter, tagOf, type WriteValue } from "./encode-scalar.js";
import { isLong, wireTypeOf } from "./scalar.js";
import type { Sink } from "./sink.js";
import { localForm } from "./well-known.js";
import { putTag } from "./write-scalar.js";

/** Gives the plan of a message type, compiled or not. */
export type PlanOf = (desc: DescMessage) => EncodePlan;

/** Compiles the writer of a field. */
export function compileField(field: DescField, planOf: PlanOf): WriteValue {
  const label = `${field.parent.typeName}.${field.name}`;
  switch (field.fieldKind) {
    case "scalar":
    case "enum":
      return singularWriter(field, label);
    case "message":
      return messageWriter(field, label, planOf);
    case "list":
      return listWriter(field, label, planOf);
    case "map":
      return mapWriter(field, label, planOf);
  }
}

function singularWriter(field: DescField & { fieldKind: "scalar" | "enum" }, label: string): WriteValue {
  const scalar = field.fieldKind === "enum" ? INT32 : field.scalar;
  const tag = tagOf(field.number, wireTypeOf(scalar));
  if (field.presence !== IMPLICIT || field.oneof !== undefined) return scalarWriter(scalar, tag, label);
  if (field.fieldKind === "enum") return implicitEnumWriter(field.enum.values[0]?.number ?? 0, tag, label);
  return implicitWriter(scalar, tag, label);
}

function messageWriter(field: DescField, label: string, planOf: PlanOf): WriteValue {
  const desc = field.message as DescMessage;
  const delimited = "delimitedEncoding" in field && field.delimitedEncoding === true;
  const write = delimited
    ? groupWriter(field.number, planOf(desc), label)
    : partWriter(field.number, planOf(desc), label);
  const form = localForm(field, (type) => factoryOf(type).zero());
  return form === undefined ? write : (sink, value) => write(sink, form.toMessage(value));
}

function partWriter(number: number, plan: EncodePlan, label: string): WriteValue {
  const tag = tagOf(number, DELIMITED);
  return (sink, value) => {
    sink.ensure(6);
    sink.at = putTag(sink.buffer, sink.at, tag);
    const attached = sink.attached;
    const mark = sink.open();
    encodeChild(plan, sink, value, label);
    sink.close(mark, attached);
  };
}

function groupWriter(number: number, plan: EncodePlan, label: string): WriteValue {
  const start = tagOf(number, GROUP_START);
  const end = tagOf(number, GROUP_END);
  return (sink, value) => {
    sink.ensure(5);
    sink.at = putTag(sink.buffer, sink.at, start);
    encodeChild(plan, sink, value, label);
    sink.ensure(5);
    sink.at = putTag(sink.buffer, sink.at, end);
  };
}

/** `undefined` is an empty message, as in protobuf-es; other values that are no objects are refused under the field's name. */
function encodeChild(plan: EncodePlan, sink: Sink, value: unknown, label: string): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null) throw valueError(label, `message ${plan.typeName}`, value);
  encodeMessage(plan, sink, value);
}

function listWriter(field: DescField & { fieldKind: "list" }, label: string, planOf: PlanOf): WriteValue {
  if (field.listKind === "message") return eachItem(messageWriter(field, label, planOf), label);
  const scalar = field.listKind === "enum" ? INT32 : field.scalar;
  if (!field.packed) return eachItem(scalarWriter(scalar, tagOf(field.number, wireTypeOf(scalar)), label), label);
  const tag = tagOf(field.number, DELIMITED);
  const writeItem = scalarWriter(scalar, 0, label);
  return (sink, value) => {
    const items = toItems(value, label);
    if (items.length === 0) return;
    sink.ensure(6);
    sink.at = putTag(sink.buffer, sink.at, tag);
    const attached = sink.attached;
    const mark = sink.open();
    for (let i = 0; i < items.length; i++) writeItem(sink, items[i]);
    sink.close(mark, attached);
  };
}

function eachItem(writeItem: WriteValue, label: string): WriteValue {
  return (sink, value) => {
    const items = toItems(value, label);
    for (let i = 0; i < items.length; i++) writeItem(sink, items[i]);
  };
}

function toItems(value: unknown, label: string): ArrayLike<unknown> {
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value)) return value as ArrayLike<unknown>;
  throw valueError(label, "array", value);
}

function mapWriter(field: DescField & { fieldKind: "map" }, label: string, planOf: PlanOf): WriteValue {
  const tag = tagOf(field.number, DELIMITED);
  const writeKey = scalarWriter(field.mapKey, tagOf(1, wireTypeOf(field.mapKey)), `${label} (key)`);
  const toKey = keyParser(field.mapKey);
  const writeItem = mapValueWriter(field, label, planOf);
  return (sink, value) => {
    if (typeof value !== "object" || value instanceof Map)
      throw valueError(label, "object with a property per key", value);
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      sink.ensure(6);
      sink.at = putTag(sink.buffer, sink.at, tag);
      const attached = sink.attached;
      const mark = sink.open();
      writeKey(sink, toKey(key));
      writeItem(sink, record[key]);
      sink.close(mark, attached);
    }
  };
}

function mapValueWriter(field: DescField & { fieldKind: "map" }, label: string, planOf: PlanOf): WriteValue {
  if (field.mapKind === "message") {
    const write = partWriter(2, planOf(field.message), label);
    const form = localForm(field, (type) => factoryOf(type).zero());
    return form === undefined ? write : (sink: Sink, value: unknown) => write(sink, form.toMessage(value));
  }
  const scalar = field.mapKind === "enum" ? INT32 : field.scalar;
  return scalarWriter(scalar, tagOf(2, wireTypeOf(scalar)), label);
}

/** Property names are text: turns them into the key's type. What is none is left for the writer to refuse. */
function keyParser(scalar: number): (key: string) => unknown {
  // 64-bit keys stay text, which their writers take.
  if (scalar === STRING || isLong(scalar)) return (key) => key;
  if (scalar === BOOL) return (key) => (key === "true" ? true : key === "false" ? false : key);
  return (key) => {
    const number = Number.parseInt(key, 10);
    return Number.isFinite(number) ? number : key;
  };
}
