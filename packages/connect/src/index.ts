// The public face of @guestwire/connect: named exports only.
export { type ChannelOptions, toChannel } from "./channel.js";
export { connectValuesOf, handlerContext, valuesOf } from "./context-values.js";
export { toConnectError, toRpcError } from "./errors.js";
export { fromInterceptor } from "./from-interceptor.js";
export { toHandlers } from "./handlers.js";
export { type HeadersInit, headersOf, metadataOf } from "./headers.js";
export { addRoutes } from "./routes.js";
export { toInterceptor } from "./to-interceptor.js";
export { type TransportOptions, toTransport } from "./transport.js";
