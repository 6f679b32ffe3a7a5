// Compiles the reader of one field. Like protobuf-es, readers go by the field's type and not by the tag's wire type.
import type { DescEnum, DescField } from "@bufbuild/protobuf";
import { BOOL, BYTES, DELIMITED, INT32, INT64, STRING, UINT32, UINT64 } from "./constants.js";
import { cursor, type FieldReader, type Fields, type ReadField } from "./cursor.js";
import { mapReader } from "./decode-map.js";
import { type DecodePlan, type PlanOf, readGroup, readMessage } from "./decode-message.js";
import { packedReader } from "./decode-packed.js";
import { scalarReader } from "./decode-scalar.js";
import { keepField } from "./decode-skip.js";
import { readInt32, readUint32 } from "./read-scalar.js";
import { localForm } from "./well-known.js";
import { putLong } from "./write-scalar.js";

/** Reads a message or group behind its tag into `message`, and gives the offset behind it. */
type ReadPart = (message: Fields, bytes: Uint8Array, at: number, end: number) => number;

/** Types that messages are read of without a call of the field's own reader. */
const direct: ReadonlySet<number> = new Set([STRING, BYTES, BOOL, INT32, UINT32, INT64, UINT64]);

/** Compiles the reader of a field. */
export function compileReader(field: DescField, planOf: PlanOf): FieldReader {
  return {
    direct: directType(field),
    name: field.localName,
    strict: field.utf8Validation,
    read: compileRead(field, planOf),
  };
}

function directType(field: DescField): number {
  if (field.oneof !== undefined) return 0;
  if (field.fieldKind === "enum") return field.enum.open ? INT32 : 0;
  return field.fieldKind === "scalar" && !field.longAsString && direct.has(field.scalar) ? field.scalar : 0;
}

function compileRead(field: DescField, planOf: PlanOf): ReadField {
  switch (field.fieldKind) {
    case "scalar":
      return singularReader(field, field.scalar, field.longAsString);
    case "enum":
      return field.enum.open ? singularReader(field, INT32, false) : closedEnumReader(field, field.enum);
    case "message":
      return messageReader(field, planOf);
    case "list":
      return listReader(field, planOf);
    case "map":
      return mapReader(field, planOf);
  }
}

function singularReader(field: DescField, scalar: number, longAsString: boolean): ReadField {
  const name = field.localName;
  const strict = field.utf8Validation;
  const read = scalarReader(scalar, strict, longAsString);
  const oneof = oneofName(field);
  if (oneof !== undefined) {
    return (message, bytes, at, end) => {
      message[oneof] = { case: name, value: read(bytes, at, end) };
      return cursor.at;
    };
  }
  return (message, bytes, at, end) => {
    message[name] = read(bytes, at, end);
    return cursor.at;
  };
}

function oneofName(field: DescField): string | undefined {
  return field.oneof?.localName;
}

/** Values that a closed enum does not have are kept, or dropped, as unknown fields. */
function closedEnumReader(field: DescField, type: DescEnum): ReadField {
  const name = field.localName;
  const oneof = oneofName(field);
  const numbers = new Set(type.values.map((value) => value.number));
  return (message, bytes, at, end, tag) => {
    const value = readInt32(bytes, at, end);
    const next = cursor.at;
    if (!numbers.has(value)) {
      if (cursor.keepUnknown) keepField(message, tag, varintOf(value));
    } else if (oneof !== undefined) message[oneof] = { case: name, value };
    else message[name] = value;
    return next;
  };
}

function varintOf(value: number): Uint8Array {
  const bytes = new Uint8Array(10);
  return bytes.slice(0, putLong(bytes, 0, value >>> 0, value < 0 ? 0xffffffff : 0));
}

/** How to read a message field's message: by length, or as a group. */
function partReader(field: DescField, plan: DecodePlan): ReadPart {
  if ("delimitedEncoding" in field && field.delimitedEncoding) {
    const number = field.number;
    return (message, bytes, at, end) => readGroup(plan, message, bytes, at, end, number);
  }
  return (message, bytes, at, end) => {
    const length = readUint32(bytes, at, end);
    const start = cursor.at;
    return readMessage(plan, message, bytes, start, start + length, end);
  };
}

/** A message field that occurs again is merged into what is there, also within a oneof. */
function messageReader(field: DescField & { fieldKind: "message" }, planOf: PlanOf): ReadField {
  const name = field.localName;
  const plan = planOf(field.message);
  const read = partReader(field, plan);
  const form = localForm(field, (desc) => planOf(desc).zero());
  const oneof = oneofName(field);
  if (oneof !== undefined) {
    return (message, bytes, at, end) => {
      const present = message[oneof] as { case?: string; value?: unknown };
      const local = present.case === name ? present.value : undefined;
      const child = form !== undefined ? form.toMessage(local) : ((local ?? plan.zero()) as Fields);
      const next = read(child, bytes, at, end);
      message[oneof] = { case: name, value: form !== undefined ? form.toLocal(child) : child };
      return next;
    };
  }
  if (form !== undefined) {
    return (message, bytes, at, end) => {
      const child = form.toMessage(Object.hasOwn(message, name) ? message[name] : undefined);
      const next = read(child, bytes, at, end);
      message[name] = form.toLocal(child);
      return next;
    };
  }
  // Only a name that every object inherits needs the slower look at own properties.
  const inherited = name in Object.prototype;
  return (message, bytes, at, end) => {
    const local = inherited && !Object.hasOwn(message, name) ? undefined : message[name];
    const child = (local ?? plan.zero()) as Fields;
    const next = read(child, bytes, at, end);
    message[name] = child;
    return next;
  };
}

function listReader(field: DescField & { fieldKind: "list" }, planOf: PlanOf): ReadField {
  const name = field.localName;
  if (field.listKind === "message") {
    const plan = planOf(field.message);
    const read = partReader(field, plan);
    const form = localForm(field, (desc) => planOf(desc).zero());
    return (message, bytes, at, end) => {
      const child = plan.zero();
      const next = read(child, bytes, at, end);
      (message[name] as unknown[]).push(form === undefined ? child : form.toLocal(child));
      return next;
    };
  }
  const scalar = field.listKind === "enum" ? INT32 : field.scalar;
  const read = scalarReader(scalar, field.utf8Validation, field.listKind === "scalar" && field.longAsString);
  if (scalar === STRING || scalar === BYTES) {
    return (message, bytes, at, end) => {
      (message[name] as unknown[]).push(read(bytes, at, end));
      return cursor.at;
    };
  }
  const readPacked = packedReader(scalar, read);
  return (message, bytes, at, end, tag) => {
    const items = message[name] as unknown[];
    // Packed and unpacked are both taken, whichever the field was declared as.
    if ((tag & 7) === DELIMITED) return readPacked(items, bytes, at, end);
    items.push(read(bytes, at, end));
    return cursor.at;
  };
}
