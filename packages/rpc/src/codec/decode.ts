// Compiles the plan by which messages of a type are decoded: when it is first met, and field by field when it is first used.
import type { DescMessage } from "@bufbuild/protobuf";
import { BIT32 } from "./constants.js";
import { factoryOf } from "./create.js";
import type { FieldReader } from "./cursor.js";
import { compileReader } from "./decode-field.js";
import type { DecodePlan, Readers } from "./decode-message.js";
import { refused, skipped } from "./decode-skip.js";

const plans = new WeakMap<DescMessage, DecodePlan>();

/** The plan of a message type. */
export function decodePlan(desc: DescMessage): DecodePlan {
  let plan = plans.get(desc);
  if (plan === undefined) {
    plan = { desc, zero: factoryOf(desc).zero, readers: undefined, compile: () => compileReaders(desc) };
    plans.set(desc, plan);
  }
  return plan;
}

function compileReaders(desc: DescMessage): Readers {
  const byNumber = new Map<number, FieldReader>();
  for (const field of desc.fields) byNumber.set(field.number, compileReader(field, decodePlan));
  const byTag: FieldReader[] = [];
  for (let tag = 0; tag < 0x80; tag++) {
    const legal = tag >>> 3 !== 0 && (tag & 7) <= BIT32;
    byTag.push(legal ? (byNumber.get(tag >>> 3) ?? skipped) : refused);
  }
  return { byTag, byNumber };
}
