// containerd.types and containerd.v1.types: event envelope, mounts, processes.
export { type Envelope, EnvelopeSchema } from "../gen/containerd/types/event_pb.js";
export { type Mount, MountSchema } from "../gen/containerd/types/mount_pb.js";
export { type ProcessInfo, ProcessInfoSchema, Status, StatusSchema } from "../gen/containerd/v1/types/task_pb.js";
