// Compiles the plan by which messages of a type are encoded: when it is first met, and field by field when it is first used.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { encodeError } from "./codec-error.js";
import { REQUIRED } from "./constants.js";
import { usesPrototype } from "./create.js";
import { compileField } from "./encode-field.js";
import type { EncodePlan, Operation } from "./encode-message.js";
import type { WriteValue } from "./encode-scalar.js";

const plans = new WeakMap<DescMessage, EncodePlan>();

/** The plan of a message type. */
export function encodePlan(desc: DescMessage): EncodePlan {
  let plan = plans.get(desc);
  if (plan === undefined) {
    plan = { desc, typeName: desc.typeName, operations: undefined, compile: () => compileOperations(desc) };
    plans.set(desc, plan);
  }
  return plan;
}

function compileOperations(desc: DescMessage): readonly Operation[] {
  const prototype = usesPrototype(desc);
  const operations: Operation[] = [];
  const fields = [...desc.fields].sort((a, b) => a.number - b.number);
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as DescField;
    if (field.oneof === undefined) {
      operations.push(singleOperation(field, prototype));
      continue;
    }
    // At most one field of a oneof is written, so neighbours in it are one operation with a look-up of the case.
    const writers = new Map<string, WriteValue>();
    const oneof = field.oneof;
    for (let next: DescField | undefined = field; next?.oneof === oneof; next = fields[++i]) {
      writers.set(next.localName, compileField(next, encodePlan));
    }
    i--;
    operations.push(oneofOperation(oneof.localName, writers));
  }
  return operations;
}

function singleOperation(field: DescField, prototype: boolean): Operation {
  const name = field.localName;
  const label = `${field.parent.typeName}.${field.name}`;
  const missing = field.presence === REQUIRED ? encodeError(label, "required field is not set").message : undefined;
  const own = prototype || name in Object.prototype;
  return { name, own, missing, write: compileField(field, encodePlan) };
}

function oneofOperation(name: string, writers: ReadonlyMap<string, WriteValue>): Operation {
  const write: WriteValue = (sink, value) => {
    const chosen = value as { case?: string; value?: unknown };
    if (chosen.case === undefined) return;
    writers.get(chosen.case)?.(sink, chosen.value);
  };
  return { name, own: name in Object.prototype, missing: undefined, write };
}
