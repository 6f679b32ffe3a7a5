// Makes messages as protobuf-es makes them: same properties in the same order, same prototype chain. Encodes nothing.
import type { DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { type Clone, makeTemplate, takeClone } from "./clone.js";
import { BYTES, IMPLICIT, PROTO2, PROTO3 } from "./constants.js";
import type { Fields } from "./cursor.js";
import { isObject, setOwn, zeroOf } from "./scalar.js";
import { isJson, isUnwrapped } from "./well-known.js";

/** Makes messages of one type. */
export interface Factory {
  /** A message with no field set. */
  zero(): Fields;
  /** A message of an init; a message of the type as it is. */
  create(init: unknown): Fields;
}

type Convert = (value: unknown) => unknown;
type Fresh = () => unknown;
type Apply = (message: Fields, value: unknown) => void;

/** What an init's member does to a message that is otherwise zero. */
interface Member {
  readonly name: string;
  /** Whether every object inherits a property of this name (hasOwnProperty and the like), so that only an own one counts. */
  readonly inherited: boolean;
  readonly apply: Apply;
}

const factories = new WeakMap<DescMessage, Factory>();

/** The factory of a message type. */
export function factoryOf(desc: DescMessage): Factory {
  let factory = factories.get(desc);
  if (factory === undefined) {
    factory = compileFactory(desc);
    factories.set(desc, factory);
  }
  return factory;
}

/** Whether a message type keeps its defaults on a prototype, so that own properties tell which fields are set. */
export function usesPrototype(desc: DescMessage): boolean {
  const edition: number = desc.file.edition;
  if (edition === PROTO3) return false;
  if (edition === PROTO2) return true;
  return desc.fields.some((f) => f.presence !== IMPLICIT && f.fieldKind !== "message" && f.oneof === undefined);
}

function compileFactory(desc: DescMessage): Factory {
  const typeName = desc.typeName;
  const zero = compileZero(desc);
  let members: Member[] | undefined;
  return {
    zero,
    create(init) {
      if (isMessageOf(init, typeName)) return init;
      const message = zero();
      if (init === null || init === undefined) return message;
      // Most types are only ever decoded or encoded: the conversions are compiled when first needed.
      members ??= desc.members.map(compileMember);
      for (let i = 0; i < members.length; i++) {
        const { name, inherited, apply } = members[i] as Member;
        if (inherited && !Object.hasOwn(init, name)) continue;
        const value = (init as Fields)[name];
        if (value !== undefined && value !== null) apply(message, value);
      }
      return message;
    },
  };
}

function isMessageOf(value: unknown, typeName: string): value is Fields {
  return isObject(value) && value["$typeName"] === typeName;
}

function compileZero(desc: DescMessage): () => Fields {
  const entries: [string, unknown][] = [["$typeName", desc.typeName]];
  const defaults: Fields = {};
  const freshNames: string[] = [];
  const freshValues: Fresh[] = [];
  for (const member of desc.members) {
    const name = member.localName;
    const fresh = freshOf(member);
    if (fresh !== undefined) {
      entries.push([name, undefined]);
      freshNames.push(name);
      freshValues.push(fresh);
    } else if (member.kind === "field" && member.fieldKind !== "message") {
      const zero = defaultOf(member);
      defaults[name] = zero;
      if (member.presence === IMPLICIT) entries.push([name, zero]);
    }
  }
  const copy = usesPrototype(desc) ? copyWithPrototype(entries, defaults) : copyOf(entries);
  const count = freshNames.length;
  if (count === 0) return copy;
  return () => {
    const message = copy();
    for (let i = 0; i < count; i++) message[freshNames[i] as string] = (freshValues[i] as Fresh)();
    return message;
  };
}

function copyOf(entries: [string, unknown][]): () => Fields {
  const template = makeTemplate(entries);
  const clone: Clone = takeClone();
  return () => clone(template);
}

function copyWithPrototype(entries: [string, unknown][], defaults: Fields): () => Fields {
  return () => {
    const message = Object.create(defaults) as Fields;
    for (const [name, value] of entries) message[name] = value;
    return message;
  };
}

/** Lists, maps and oneofs are objects that no two messages may share. */
function freshOf(member: DescField | DescOneof): Fresh | undefined {
  if (member.kind === "oneof") return () => ({ case: undefined });
  if (member.fieldKind === "list") return () => [];
  if (member.fieldKind === "map") return () => ({});
  return undefined;
}

function defaultOf(field: DescField & { fieldKind: "scalar" | "enum" | "list" | "map" }): unknown {
  if (field.fieldKind === "enum") return field.getDefaultValue() ?? field.enum.values[0]?.number;
  if (field.fieldKind !== "scalar") return undefined;
  const value = field.getDefaultValue();
  if (value === undefined) return zeroOf(field.scalar, field.longAsString);
  return field.longAsString ? value.toString() : value;
}

function compileMember(member: DescField | DescOneof): Member {
  const name = member.localName;
  const inherited = name in Object.prototype;
  const apply = member.kind === "oneof" ? compileOneof(member) : compileApply(member, name, compileConvert(member));
  return { name, inherited, apply };
}

function compileApply(field: DescField, name: string, convert: Convert | undefined): Apply {
  if (convert === undefined) {
    return (message, value) => {
      message[name] = value;
    };
  }
  if (field.fieldKind === "list") {
    return (message, value) => {
      message[name] = Array.isArray(value) ? value.map((item) => convert(item)) : value;
    };
  }
  if (field.fieldKind === "map") {
    return (message, value) => {
      message[name] = isObject(value) ? convertMap(value, convert) : value;
    };
  }
  return (message, value) => {
    message[name] = convert(value);
  };
}

function convertMap(value: Fields, convert: Convert): Fields {
  const converted: Fields = {};
  for (const key of Object.keys(value)) setOwn(converted, key, convert(value[key]));
  return converted;
}

function compileOneof(oneof: DescOneof): Apply {
  const name = oneof.localName;
  const converts = new Map(oneof.fields.map((field) => [field.localName, compileConvert(field)]));
  return (message, value) => {
    const chosen = value as { case?: string; value?: unknown };
    if (chosen.case === undefined || chosen.case === null || !converts.has(chosen.case)) return;
    const convert = converts.get(chosen.case);
    message[name] = { case: chosen.case, value: convert === undefined ? chosen.value : convert(chosen.value) };
  };
}

/** The conversion of one value; undefined where values are taken as they are. A list's own array is then kept too. */
function compileConvert(field: DescField): Convert | undefined {
  const desc = field.message;
  if (desc === undefined) return field.scalar === BYTES ? toBytes : undefined;
  if (isUnwrapped(field)) return desc.fields[0]?.scalar === BYTES ? toBytes : undefined;
  if (isJson(field)) return undefined;
  return (value) => (isObject(value) && !isMessageOf(value, desc.typeName) ? factoryOf(desc).create(value) : value);
}

function toBytes(value: unknown): unknown {
  return Array.isArray(value) ? new Uint8Array(value) : value;
}
