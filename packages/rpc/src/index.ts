// The public face of @guestwire/rpc: named exports only.
// For everyone who makes or serves calls.
export type { Authorize, ServedMethod } from "./authorize.js";
export {
  type BearerTokenOptions,
  bearerIdentity,
  bearerToken,
  equalTokens,
  type RequireBearerOptions,
  requireBearer,
  type TokenRequest,
  type TokenSource,
  type VerifyBearer,
} from "./bearer.js";
export type { CallDefaults, CallOptions, Channel, ChannelInfo, CloseOptions } from "./channel.js";
export { type Client, type ClientOptions, createClient } from "./client.js";
export { Code, codeFromName, codeName, isCode } from "./code.js";
export { type ContextKey, type ContextValues, createContextKey, createContextValues } from "./context-values.js";
export type { CallEvent, ClientCallEvent, ConnectionEvent, ServerCallEvent } from "./diagnostics.js";
export type { HandlerContext, Peer, PeerIdentity } from "./handler-context.js";
export { createInProcessChannel } from "./in-process.js";
export type {
  CallInfo,
  CallNext,
  InterceptedCall,
  InterceptedReply,
  Interceptor,
  StreamCall,
  StreamReply,
  UnaryCall,
  UnaryReply,
} from "./interceptor.js";
export { releaseBytes } from "./message-memory.js";
export { Metadata, type MetadataInit, toMetadata } from "./metadata.js";
export type { Idempotency, MessageStream, MethodInfo, MethodKind, ResponseStream } from "./method.js";
export { createPushStream, type PushStream } from "./push-stream.js";
export { createRouter, type Handlers, type Router, type ServiceOptions, type ServiceRegistry } from "./router.js";
export {
  type ErrorDetail,
  type FailureReason,
  type OutgoingDetail,
  RpcError,
  type RpcErrorOptions,
} from "./rpc-error.js";
