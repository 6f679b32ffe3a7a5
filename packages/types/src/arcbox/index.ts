// arcbox.v1: what ArcBox's machine and agent services share.
export {
  type Empty,
  EmptySchema,
  type PortBinding,
  PortBindingSchema,
  type Timestamp,
  TimestampSchema,
} from "../gen/arcbox/v1/common_pb.js";
