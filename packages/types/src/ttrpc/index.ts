// ttrpc: the envelope of requests and responses on the wire.
export {
  type KeyValue,
  KeyValueSchema,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema,
  type StringList,
  StringListSchema,
} from "../gen/ttrpc/request_pb.js";
