// The public face of @guestwire/reflection: named exports only. The older wire's messages are in the sub-path v1alpha.
export { createReflectionClient, type ReflectionClient, type ReflectionClientOptions } from "./client.js";
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
} from "./gen/grpc/reflection/v1/reflection_pb.js";
export {
  createServerReflectionClient,
  registerServerReflection,
  type ServerReflectionClient,
  type ServerReflectionHandler,
  ServerReflectionMethods,
} from "./gen/grpc/reflection/v1/reflection_rpc.js";
export { addReflection, createReflection, type Reflection, type ReflectionOptions } from "./reflection.js";
