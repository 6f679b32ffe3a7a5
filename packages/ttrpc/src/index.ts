// The public face of @guestwire/ttrpc: named exports only.
export { type Address, addressForms, formatAddress, parseAddress } from "@guestwire/rpc/transport";
export { type ConnectOptions, connect } from "./channel.js";
export type { ConnectTarget } from "./dial.js";
export { connectInProcess } from "./in-process.js";
export { defaultLimits, type Limits } from "./limits.js";
export { type ServeOptions, type Server, serve } from "./server.js";
