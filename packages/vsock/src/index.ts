// The public face of @guestwire/vsock.
export { anyPort, cids, formatVsock, type VsockAddress } from "./cids.js";
export { type DialOptions, dial } from "./dial.js";
export type { VsockError } from "./errors.js";
export type { ConnectGuest } from "./hybrid-accept.js";
export { type HybridAddress, hybridListenPath } from "./hybrid-address.js";
export { dialHybrid, type HybridDialOptions } from "./hybrid-dial.js";
export type { HybridError, HybridErrorCode } from "./hybrid-error.js";
export { type HybridListenOptions, listenHybrid } from "./hybrid-listen.js";
export { unixPorts } from "./hybrid-ports.js";
export { type HybridProxy, type HybridProxyOptions, type HybridProxyTarget, hybridProxy } from "./hybrid-proxy.js";
export { type ListenAddress, type ListenOptions, listen } from "./listen.js";
export { localCid } from "./local-cid.js";
export type { VsockServer } from "./vsock-server.js";
export type { VsockSocket } from "./vsock-socket.js";
