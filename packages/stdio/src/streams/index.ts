// The public face of @guestwire/stdio/streams: spinbox's raw streams, on both ends.
export { type OpenStreamOptions, openStream, type StreamDialer } from "./open-stream.js";
export type { RawStream } from "./raw-stream.js";
export { parseStdioUrl, type StdioUrl } from "./stdio-url.js";
export { createStreamIds, type StreamIds, streamUrl } from "./stream-ids.js";
export {
  createStreamServer,
  type StreamServer,
  type StreamServerLimits,
  type StreamServerOptions,
  type TakeOptions,
} from "./stream-server.js";
