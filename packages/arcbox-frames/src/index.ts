// The public face of @guestwire/arcbox-frames: named exports only.
export { type ConnectOptions, connect } from "./channel.js";
export type { ConnectTarget } from "./dial.js";
export { codeFromFrame, codeToFrame } from "./error-frame.js";
export { encodeFrame, type Frame, FrameError } from "./frame.js";
export { FrameDecoder } from "./frame-decoder.js";
export { defaultLimits, type Limits } from "./limits.js";
export { type FrameMethod, FrameNumber, frameMethodOf, frameMethods } from "./numbers.js";
export { agentPort } from "./protocol.js";
export { type ArcboxReadyOptions, arcboxReady, type RuntimeReadyOptions, whenRuntimeReady } from "./ready.js";
export { type ServeOptions, type Server, serve } from "./server.js";
export { type TraceIds, traceKey } from "./trace.js";
