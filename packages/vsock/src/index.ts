// The public face of @guestwire/vsock.
// (The two lines below only give the agreed signatures until the real files are there; replace them.)
export { dial, listen, localCid, type VsockAddress, type VsockServer, type VsockSocket } from "./pending.js";
export { dialHybrid, hybridListenPath } from "./pending-hybrid.js";
