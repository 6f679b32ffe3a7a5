// The stdio service as spinbox guests run it today (containerd.vminitd.services.stdio.v1).
export {
  type CloseStdinRequest,
  CloseStdinRequestSchema,
  type CloseStdinResponse,
  CloseStdinResponseSchema,
  type OutputChunk,
  OutputChunkSchema,
  type ReadOutputRequest,
  ReadOutputRequestSchema,
  StdIO,
  type WriteStdinRequest,
  WriteStdinRequestSchema,
  type WriteStdinResponse,
  WriteStdinResponseSchema,
} from "../gen/containerd/vminitd/services/stdio/v1/stdio_pb.js";
export {
  createStdIOClient,
  registerStdIO,
  type StdIOClient,
  type StdIOHandler,
  StdIOMethods,
} from "../gen/containerd/vminitd/services/stdio/v1/stdio_rpc.js";
