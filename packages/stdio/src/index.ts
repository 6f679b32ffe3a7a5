// The public face of @guestwire/stdio: the stdio service in the shape of the seed document (spinbox.services.stdio.v1).
export {
  type CloseStdinRequest,
  CloseStdinRequestSchema,
  type RecvRequest,
  RecvRequestSchema,
  type RecvResponse,
  RecvResponse_Source,
  RecvResponse_SourceSchema,
  RecvResponseSchema,
  Stdio,
  type WriteRequest,
  WriteRequestSchema,
  type WriteResponse,
  WriteResponseSchema,
} from "./gen/spinbox/services/stdio/v1/stdio_pb.js";
export {
  createStdioClient,
  registerStdio,
  type StdioClient,
  type StdioHandler,
  StdioMethods,
} from "./gen/spinbox/services/stdio/v1/stdio_rpc.js";
