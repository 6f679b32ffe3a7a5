// containerd.runc.v1: what runc's shims say of processes.
export { type ProcessDetails, ProcessDetailsSchema } from "../gen/containerd/runc/v1/process_pb.js";
