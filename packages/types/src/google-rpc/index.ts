// google.rpc: the status that errors travel as.
export { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";
