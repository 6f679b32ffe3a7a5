// The messages and stubs of grpc.reflection.v1alpha, which createReflection serves and createReflectionClient falls back to.
export {
  type ErrorResponse,
  ErrorResponseSchema,
  type ExtensionNumberResponse,
  ExtensionNumberResponseSchema,
  type ExtensionRequest,
  ExtensionRequestSchema,
  type FileDescriptorResponse,
  FileDescriptorResponseSchema,
  type ListServiceResponse,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
  type ServiceResponse,
  ServiceResponseSchema,
} from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
export {
  createServerReflectionClient,
  registerServerReflection,
  type ServerReflectionClient,
  type ServerReflectionHandler,
  ServerReflectionMethods,
} from "../gen/grpc/reflection/v1alpha/reflection_rpc.js";
