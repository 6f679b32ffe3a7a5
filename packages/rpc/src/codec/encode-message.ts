// Encodes a message by its plan: a list of operations, one for each field or oneof. How a plan comes about is encode.ts.
import type { DescMessage } from "@bufbuild/protobuf";
import { CodecError, describe } from "./codec-error.js";
import type { Fields } from "./cursor.js";
import { tagOf, type WriteValue } from "./encode-scalar.js";
import type { Sink } from "./sink.js";
import { putVarint } from "./write-scalar.js";

/** How to encode one member of a message. */
export interface Operation {
  /** The property that holds the value. */
  readonly name: string;
  /** Whether an inherited property does not count. */
  readonly own: boolean;
  /** The error for a value that is not there, if it must be. */
  readonly missing: string | undefined;
  /** Writes a value that is there, with its tag. A zero value is left out by the writer of a field without presence. */
  readonly write: WriteValue;
}

/** How to encode one message type. */
export interface EncodePlan {
  readonly desc: DescMessage;
  readonly typeName: string;
  /** In order of field numbers; undefined until first used, so that a type costs nothing before. */
  operations: readonly Operation[] | undefined;
  /** Makes {@link EncodePlan.operations}. */
  readonly compile: () => readonly Operation[];
}

/** A field of an unknown number, as protobuf-es keeps it. */
interface UnknownField {
  readonly no: number;
  readonly wireType: number;
  readonly data: Uint8Array;
}

const hasOwn = Object.prototype.hasOwnProperty;

/** Writes the fields of a message or of an init: no tag, no length. */
export function encodeMessage(plan: EncodePlan, sink: Sink, value: unknown): void {
  const operations = plan.operations ?? prepare(plan);
  if (typeof value !== "object" || value === null) throw notAMessage(plan, value);
  const message = value as Fields;
  const typeName = message["$typeName"];
  if (typeName !== plan.typeName) checkInit(plan, message, operations);
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i] as Operation;
    // Without the own properties' check, a message with defaults on its prototype would have all its fields set.
    const field = operation.own && !hasOwn.call(message, operation.name) ? undefined : message[operation.name];
    if (field === undefined || field === null) {
      if (operation.missing !== undefined) throw new CodecError(operation.missing);
      continue;
    }
    operation.write(sink, field);
  }
  const unknown = message["$unknown"];
  if (unknown !== undefined && typeName !== undefined) writeUnknown(sink, unknown as UnknownField[]);
}

function prepare(plan: EncodePlan): readonly Operation[] {
  plan.operations = plan.compile();
  return plan.operations;
}

function checkInit(plan: EncodePlan, message: Fields, operations: readonly Operation[]): void {
  if (Array.isArray(message)) throw notAMessage(plan, message);
  // A type without fields takes any message, as in protobuf-es.
  if (message["$typeName"] !== undefined && operations.length > 0) throw notAMessage(plan, message);
}

function notAMessage(plan: EncodePlan, value: unknown): CodecError {
  return new CodecError(`cannot encode ${plan.typeName}: expected message ${plan.typeName}, got ${describe(value)}`);
}

function writeUnknown(sink: Sink, fields: readonly UnknownField[]): void {
  for (const { no, wireType, data } of fields) {
    sink.ensure(5);
    sink.at = putVarint(sink.buffer, sink.at, tagOf(no, wireType));
    sink.raw(data);
  }
}
