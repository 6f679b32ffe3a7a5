// The public face of @guestwire/grpc: named exports only.
export { type AddressList, createAddressList } from "./address-list.js";
export { connect } from "./channel.js";
export type { ClientKeepalive, Compression, ConnectOptions } from "./channel-options.js";
export type { ClientTls, ClientTlsOptions } from "./client-credentials.js";
export type { ServerKeepalive } from "./keepalive.js";
export { defaultLimits, type Limits } from "./limits.js";
export type { RetryOptions } from "./retries.js";
export { serve } from "./server.js";
export type { ServeOptions, Server } from "./server-options.js";
export {
  type GrpcHandlers,
  type GrpcMethodDefinition,
  type GrpcServiceDefinition,
  toServiceDefinition,
} from "./service-definition.js";
export type { Pem, ServerTlsOptions, TlsOptions, TlsProvider } from "./tls.js";
export { type TlsFiles, type TlsFilesOptions, watchTlsFiles } from "./watch-tls-files.js";
