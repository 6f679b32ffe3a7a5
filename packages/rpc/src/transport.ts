// For packages that bring a wire (`@guestwire/rpc/transport`): what they share. May change in minor versions.

export { type Address, addressForms, formatAddress, parseAddress } from "./address.js";
export { CallEnd, checkSignal, checkTimeout } from "./call-end.js";
export { type Clock, pause, systemClock, type Timer } from "./clock.js";
export { readTag, readVarint32, readVarint64, skipField, utf8Text, WireError } from "./codec/reader.js";
export { transportChannel, withDefaults } from "./defaults.js";
export {
  type ConnectionChannels,
  type ConnectionEvent,
  clientConnections,
  connectionBegins,
  connectionEnds,
  connectionFails,
  connectionRefused,
  connectionWatched,
  serverConnections,
} from "./diagnostics.js";
export { type DialAddressOptions, dialAddress, takesMemory } from "./dial.js";
export { type DialWithRetryOptions, dialWithRetry } from "./dial-retry.js";
export { isPermanentDialError, isTransientDialError } from "./dial-retry-errors.js";
export { type DialAttempt, type DialRetryOptions, type DialTask, type DialTurn, retryDial } from "./dial-retry-loop.js";
export {
  arcboxDial,
  arcboxRuntimeDial,
  checkDialPolicy,
  type DialPolicy,
  type DialSteps,
  defaultDial,
  kataDial,
  kataRustDial,
  spinboxDial,
  spinboxEventsDial,
  spinboxStreamDial,
  spinboxTaskDial,
  stepMs,
} from "./dial-retry-policy.js";
export { givenStream } from "./given-stream.js";
export { isPromise } from "./is-promise.js";
export { checkKnown, checkSwitch, optionNames } from "./known-options.js";
export { type Accept, type Listener, openListener } from "./listen.js";
export { holdBytes, isReleasable, takeMemory } from "./message-memory.js";
export {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  serverStreams,
  type UnaryMethod,
} from "./method.js";
export { closedResponses, endedResponses } from "./response-stream.js";
export type { MethodRoute, Request, Response } from "./router.js";
export { withoutStack } from "./rpc-error.js";
export { ServerCall } from "./server-call.js";
export { type SignalHearer, unwatchSignal, watchSignal } from "./signal-watch.js";
export { readStatus, type Status, writeDetails, writeStatus } from "./status.js";
export { abandon, isStream, iterate, leave, type MessageIterator, onlyMessage } from "./streams.js";
export { timedOut, type WithinOptions, within } from "./within.js";
