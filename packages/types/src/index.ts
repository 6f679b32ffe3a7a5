// The public face of @guestwire/types: containerd's event envelope, mounts and task events, which most users need.
// Everything else has a sub-path, as names repeat between the systems (three kinds of Status, two of Task).
export {
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
  type TaskIO,
  TaskIOSchema,
  type TaskOOM,
  TaskOOMSchema,
  type TaskPaused,
  TaskPausedSchema,
  type TaskResumed,
  TaskResumedSchema,
  type TaskStart,
  TaskStartSchema,
} from "./gen/containerd/events/task_pb.js";
export { type Envelope, EnvelopeSchema } from "./gen/containerd/types/event_pb.js";
export { type Mount, MountSchema } from "./gen/containerd/types/mount_pb.js";
