// What @guestwire/ttrpc says beside ttrpc: for other implementations of it, and for tests.
export {
  type CancelRequest,
  CancelRequestSchema,
  type CancelResponse,
  CancelResponseSchema,
  ControlService,
  Feature,
  FeatureSchema,
  type HelloRequest,
  HelloRequestSchema,
  type HelloResponse,
  HelloResponseSchema,
  type PingRequest,
  PingRequestSchema,
  type PingResponse,
  PingResponseSchema,
  type ResponseMetadata,
  type ResponseMetadata_MetadataEntry,
  ResponseMetadata_MetadataEntrySchema,
  ResponseMetadataSchema,
} from "../gen/guestwire/control/v1/control_pb.js";
export {
  type ControlServiceClient,
  type ControlServiceHandler,
  ControlServiceMethods,
  createControlServiceClient,
  registerControlService,
} from "../gen/guestwire/control/v1/control_rpc.js";
