// Task events as they travel: a topic, and an Any with containerd's bare type name. No subscriptions here.
import { type Codec, codecFor } from "@guestwire/rpc/codec";
import {
  type TaskCheckpointed,
  TaskCheckpointedSchema,
  type TaskCreate,
  TaskCreateSchema,
  type TaskDelete,
  TaskDeleteSchema,
  type TaskExecAdded,
  TaskExecAddedSchema,
  type TaskExecStarted,
  TaskExecStartedSchema,
  type TaskExit,
  TaskExitSchema,
  type TaskOOM,
  TaskOOMSchema,
  type TaskPaused,
  TaskPausedSchema,
  type TaskResumed,
  TaskResumedSchema,
  type TaskStart,
  TaskStartSchema,
} from "../gen/containerd/events/task_pb.js";

/** Any event of the `/tasks/*` topics. Tell them apart by `$typeName`. */
export type TaskEvent =
  | TaskCreate
  | TaskStart
  | TaskOOM
  | TaskExit
  | TaskDelete
  | TaskExecAdded
  | TaskExecStarted
  | TaskPaused
  | TaskResumed
  | TaskCheckpointed;

const table = [
  ["/tasks/create", TaskCreateSchema],
  ["/tasks/start", TaskStartSchema],
  ["/tasks/oom", TaskOOMSchema],
  ["/tasks/exit", TaskExitSchema],
  ["/tasks/delete", TaskDeleteSchema],
  ["/tasks/exec-added", TaskExecAddedSchema],
  ["/tasks/exec-started", TaskExecStartedSchema],
  ["/tasks/paused", TaskPausedSchema],
  ["/tasks/resumed", TaskResumedSchema],
  ["/tasks/checkpointed", TaskCheckpointedSchema],
] as const;

/** The topic of every task event, by the full name of its type, as `containerd.events.TaskExit` → `/tasks/exit`. */
export const taskTopics: ReadonlyMap<string, string> = new Map(table.map(([topic, { typeName }]) => [typeName, topic]));

const schemas = new Map<string, (typeof table)[number][1]>(table.map(([, schema]) => [schema.typeName, schema]));

/** An encoded message with the name of its type: a `google.protobuf.Any`, or anything shaped like one. */
export interface PackedEvent {
  /** The type's full name, bare or behind a prefix that ends in "/". */
  readonly typeUrl: string;
  /** The encoded message. */
  readonly value: Uint8Array;
}

/**
 * Decodes the event of an envelope.
 *
 * @param event `envelope.event`; `undefined` is allowed, as the field may be absent.
 * @returns `undefined` where it is no task event.
 * @throws {Error} when the type is known and its bytes are not of that type.
 */
export function unpackTaskEvent(event: PackedEvent | undefined): TaskEvent | undefined {
  if (event === undefined) return undefined;
  const schema = schemas.get(event.typeUrl.slice(event.typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) return undefined;
  return (codecFor(schema) as Codec).decode(event.value, 0, event.value.length) as TaskEvent;
}

/**
 * Encodes a task event for an envelope, named as containerd names it: by the bare full name, as its Go code compares
 * whole strings.
 *
 * @throws {Error} when the message is none of the task events.
 */
export function packTaskEvent(event: TaskEvent): PackedEvent {
  const schema = schemas.get(event.$typeName);
  if (schema === undefined) throw new Error(`${event.$typeName} is no task event`);
  return { typeUrl: event.$typeName, value: (codecFor(schema) as Codec).toBytes(event) };
}
