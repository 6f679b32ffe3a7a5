// Compiles the reader of a map field. An entry is a message of its own on the wire, with the key as field 1 and the value as field 2.
import type { DescField } from "@bufbuild/protobuf";
import { truncated } from "./codec-error.js";
import { BYTES, INT32, RECURSION_LIMIT } from "./constants.js";
import { cursor, type Fields, type ReadField, type ReadValue } from "./cursor.js";
import { type PlanOf, readMessage } from "./decode-message.js";
import { scalarReader } from "./decode-scalar.js";
import { readTag, skip } from "./decode-skip.js";
import { readUint32 } from "./read-scalar.js";
import { setOwn, zeroOf } from "./scalar.js";
import { localForm } from "./well-known.js";

/** Reads an entry's value; `present` is the one that the same entry had before. */
type ReadMapValue = (bytes: Uint8Array, at: number, end: number, present: unknown) => unknown;

/** How to read the values of a map, and what an entry without one has. */
interface MapValues {
  readonly read: ReadMapValue;
  readonly zero: () => unknown;
}

/** Compiles the reader of a map field. */
export function mapReader(field: DescField & { fieldKind: "map" }, planOf: PlanOf): ReadField {
  const name = field.localName;
  const readKey: ReadValue = scalarReader(field.mapKey, field.utf8Validation, false);
  const zeroKey = String(zeroOf(field.mapKey, false));
  const values = mapValues(field, planOf);
  return (message, bytes, at, end) => {
    const length = readUint32(bytes, at, end);
    let next = cursor.at;
    const stop = next + length;
    if (stop > end) throw truncated(end);
    let key = zeroKey;
    let value: unknown;
    while (next < stop) {
      const tag = readTag(bytes, next, end);
      switch (tag >>> 3) {
        case 1:
          key = String(readKey(bytes, cursor.at, end));
          next = cursor.at;
          break;
        case 2:
          value = values.read(bytes, cursor.at, end, value);
          next = cursor.at;
          break;
        default:
          next = skip(bytes, cursor.at, end, tag, RECURSION_LIMIT - cursor.depth);
      }
    }
    if (value === undefined) value = values.zero();
    setOwn(message[name] as Fields, key, value);
    return next;
  };
}

function mapValues(field: DescField & { fieldKind: "map" }, planOf: PlanOf): MapValues {
  if (field.mapKind === "message") return messageValues(field, planOf);
  if (field.mapKind === "enum") {
    const first = field.enum.values[0]?.number ?? 0;
    return { read: scalarReader(INT32, false, false), zero: () => first };
  }
  const scalar = field.scalar;
  const read = scalarReader(scalar, field.utf8Validation, false);
  if (scalar === BYTES) return { read, zero: () => new Uint8Array(0) };
  const zero = zeroOf(scalar, false);
  return { read, zero: () => zero };
}

function messageValues(field: DescField & { fieldKind: "map"; mapKind: "message" }, planOf: PlanOf): MapValues {
  const plan = planOf(field.message);
  const form = localForm(field, (desc) => planOf(desc).zero());
  const toMessage = form === undefined ? (local: unknown) => (local ?? plan.zero()) as Fields : form.toMessage;
  const toLocal = form === undefined ? (message: Fields) => message : form.toLocal;
  return {
    read(bytes, at, end, present) {
      const child = toMessage(present);
      const length = readUint32(bytes, at, end);
      const start = cursor.at;
      cursor.at = readMessage(plan, child, bytes, start, start + length, end);
      return toLocal(child);
    },
    zero: () => toLocal(toMessage(undefined)),
  };
}
