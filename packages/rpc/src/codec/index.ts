// The public face of message codecs (`@guestwire/rpc/codec`): what transports and tools need, named exports only.
export { type Codec, type CodecOptions, codecFor } from "./codec.js";
export { CodecError } from "./codec-error.js";
export { type Attachment, attachBytes, Sink } from "./sink.js";
