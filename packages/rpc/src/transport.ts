// For packages that bring a wire (`@guestwire/rpc/transport`): what they share. May change in minor versions.

export { type Address, addressForms, formatAddress, parseAddress } from "./address.js";
export { checkSignal, checkTimeout } from "./call-end.js";
export { readTag, readVarint32, readVarint64, skipField, utf8Text, WireError } from "./codec/reader.js";
export { withDefaults } from "./defaults.js";
export {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
export type { MethodRoute, Request, Response } from "./router.js";
export { withoutStack } from "./rpc-error.js";
export { ServerCall } from "./server-call.js";
export { readStatus, type Status, writeStatus } from "./status.js";
export { abandon } from "./streams.js";
