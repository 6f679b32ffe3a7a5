// The public face of @guestwire/ttrpc: named exports only.
export {
  type Address,
  addressForms,
  arcboxDial,
  arcboxRuntimeDial,
  type Clock,
  type DialAttempt,
  type DialPolicy,
  type DialRetryOptions,
  type DialSteps,
  type DialWithRetryOptions,
  defaultDial,
  dialWithRetry,
  formatAddress,
  isPermanentDialError,
  isTransientDialError,
  kataDial,
  kataRustDial,
  parseAddress,
  spinboxDial,
  spinboxEventsDial,
  spinboxStreamDial,
  spinboxTaskDial,
  type Timer,
} from "@guestwire/rpc/transport";
export { connect } from "./channel.js";
export type { ConnectOptions } from "./connect-options.js";
export type { ConnectTarget } from "./dial.js";
export { connectInProcess } from "./in-process.js";
export type { KeepaliveOptions } from "./keepalive.js";
export { defaultLimits, type Limits } from "./limits.js";
export { type ServeOptions, type Server, serve } from "./server.js";
export {
  kataReady,
  type ProbeOptions,
  probe,
  type Ready,
  type ReadyTarget,
  type ReadyTimings,
  spinboxReady,
  type WaitReadyOptions,
  waitReady,
} from "./wait-ready.js";
export { type ReadyState, type WatchReadyOptions, watchReady } from "./watch-ready.js";
