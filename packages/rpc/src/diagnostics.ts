// Events on node:diagnostics_channel: which channels there are and what their events hold. Publishes nothing by itself,
// and nobody who does not subscribe pays for it.
import { type Channel, channel, type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import type { EventEmitter } from "node:events";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Code } from "./code.js";
import type { HandlerContext, Peer } from "./handler-context.js";
import type { Metadata } from "./metadata.js";
import { type MethodKind, methodPath } from "./method.js";
import { RpcError } from "./rpc-error.js";

/** What the events of a call hold. One object goes to all events of a call; later ones find it further filled in. */
export abstract class CallEvent {
  /** The method's descriptor. */
  readonly method: DescMethod;
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** Who streams. */
  readonly kind: MethodKind;
  /** The wire, as `ttrpc`, `grpc`, `in-process`; `undefined` where the transport does not say. */
  readonly protocol: string | undefined;
  /** When the call began, by `performance.now()`. */
  readonly startedAt: number;
  /** How many messages this side has sent so far. */
  sent: number;
  /** How many messages this side has received so far. */
  received: number;
  /** How long the call took, in milliseconds; `undefined` until it is over. */
  durationMs: number | undefined;
  /** How the call ended: 0 (OK) or a code; `undefined` until it is over. */
  code: 0 | Code | undefined;
  /** Why it failed; `undefined` while it runs, when it succeeded, and when its reader left a stream early. */
  error: RpcError | undefined;

  constructor(method: DescMethod, protocol: string | undefined) {
    this.method = method;
    this.path = methodPath(method);
    this.kind = method.methodKind;
    this.protocol = protocol;
    this.startedAt = performance.now();
    this.sent = 0;
    this.received = 0;
    this.durationMs = undefined;
    this.code = undefined;
    this.error = undefined;
  }
}

/** What the events of `guestwire:client.call` hold. */
export class ClientCallEvent extends CallEvent {
  /** The channel's address. */
  readonly target: string;
  /** What the call sends. What a subscriber adds at `start` is sent too; the channel's own interceptors come later. */
  readonly metadata: Metadata;

  constructor(method: DescMethod, protocol: string | undefined, target: string, metadata: Metadata) {
    super(method, protocol);
    this.target = target;
    this.metadata = metadata;
  }
}

/** What the events of `guestwire:server.call` hold. */
export class ServerCallEvent extends CallEvent {
  /** The other end. */
  readonly peer: Peer;
  /** What the handler knows of the call. */
  readonly context: HandlerContext;

  constructor(method: DescMethod, context: HandlerContext) {
    super(method, context.protocol);
    this.peer = context.peer;
    this.context = context;
  }
}

/**
 * What the events of a connection hold. One object goes to all events of a connection, so that it can serve as a key.
 */
export interface ConnectionEvent {
  /** The wire, as `ttrpc`. */
  readonly protocol: string;
  /** On the client the channel's address, on the server where the connection came from. */
  readonly address: string;
  /** How the connection was made: `unix`, `tcp`, `vsock`, `hvsock`, `fd`, `duplex`, `in-process`; absent where unknown. */
  readonly kind?: string;
  /** When it was opened, or the attempt began, by `performance.now()`. */
  readonly startedAt: number;
  /** How long it was open, or the attempt took, in milliseconds; absent while it lasts. */
  durationMs?: number;
  /** Why it ended, in words; absent while it lasts. */
  reason?: string;
  /** The fault that ended it; absent where it was an orderly end. */
  error?: Error;
}

/** The three moments of a connection. */
export interface ConnectionChannels {
  /** A connection is there. */
  readonly open: Channel<ConnectionEvent, ConnectionEvent>;
  /** It has ended; told once for each that was opened. */
  readonly close: Channel<ConnectionEvent, ConnectionEvent>;
  /** An attempt to make one failed; on servers, one that came was turned away. */
  readonly failed: Channel<ConnectionEvent, ConnectionEvent>;
}

/** Calls as clients make them: `tracingChannel("guestwire:client.call")`. */
export const clientCalls: TracingChannel<ClientCallEvent, ClientCallEvent> = tracingChannel("guestwire:client.call");
/** Calls as handlers serve them: `tracingChannel("guestwire:server.call")`. */
export const serverCalls: TracingChannel<ServerCallEvent, ServerCallEvent> = tracingChannel("guestwire:server.call");
/** Connections of clients: `guestwire:client.connection:open`, `:close`, `:failed`. */
export const clientConnections: ConnectionChannels = connectionChannels("client");
/** Connections of servers: `guestwire:server.connection:open`, `:close`, `:failed`. */
export const serverConnections: ConnectionChannels = connectionChannels("server");

function connectionChannels(side: "client" | "server"): ConnectionChannels {
  const named = (moment: string): Channel<ConnectionEvent, ConnectionEvent> =>
    channel(`guestwire:${side}.connection:${moment}`);
  return { open: named("open"), close: named("close"), failed: named("failed") };
}

/** A connection is there. @returns The event, to be given to {@link connectionEnds}. */
export function connectionBegins(
  channels: ConnectionChannels,
  protocol: string,
  { address, kind }: Peer,
): ConnectionEvent {
  const event: ConnectionEvent = { protocol, address, kind, startedAt: performance.now() };
  channels.open.publish(event);
  return event;
}

/** A connection has ended. @param error The fault that ended it, if it was one. */
export function connectionEnds(
  channels: ConnectionChannels,
  event: ConnectionEvent,
  reason: string,
  error: Error | undefined,
): void {
  tell(channels.close, event, reason, error);
}

/** Tells of a connection that is a stream of Node's, from now, where it is open, to its close. */
export function connectionWatched(
  channels: ConnectionChannels,
  protocol: string,
  peer: Peer,
  stream: EventEmitter,
): void {
  if (!channels.open.hasSubscribers && !channels.close.hasSubscribers) return;
  const event = connectionBegins(channels, protocol, peer);
  let fault: Error | undefined;
  stream.once("error", (error: Error) => {
    fault = error;
  });
  stream.once("close", () => connectionEnds(channels, event, fault?.message ?? "the connection was closed", fault));
}

/** An attempt to connect failed. @param startedAt When it began, by `performance.now()`. */
export function connectionFails(
  channels: ConnectionChannels,
  protocol: string,
  { target }: { readonly target: string },
  startedAt: number,
  cause: unknown,
): void {
  if (!channels.failed.hasSubscribers) return;
  const error = cause instanceof Error ? cause : new Error(String(cause));
  tell(channels.failed, { protocol, address: target, startedAt }, error.message, error);
}

/** A server turned a connection away. */
export function connectionRefused(channels: ConnectionChannels, protocol: string, peer: Peer, reason: string): void {
  if (!channels.failed.hasSubscribers) return;
  const { address, kind } = peer;
  tell(channels.failed, { protocol, address, kind, startedAt: performance.now() }, reason, undefined);
}

function tell(
  moment: Channel<ConnectionEvent, ConnectionEvent>,
  event: ConnectionEvent,
  reason: string,
  error: Error | undefined,
): void {
  event.durationMs = performance.now() - event.startedAt;
  event.reason = reason;
  if (error !== undefined) event.error = error;
  moment.publish(event);
}

/** Begins a call: runs `step` between `start` and `end`, in whatever async context subscribers have bound. */
export function callBegins<E extends CallEvent, T>(channels: TracingChannel<E, E>, event: E, step: () => T): T {
  return channels.start.runStores(event, () => {
    try {
      return step();
    } finally {
      channels.end.publish(event);
    }
  });
}

/** Ends a call, once: fills the event in and tells of it. @param error Why it failed; `undefined` where it did not. */
export function callEnds<E extends CallEvent>(
  channels: TracingChannel<E, E>,
  event: E,
  error: unknown,
  code?: Code,
): void {
  if (event.code !== undefined) return;
  event.durationMs = performance.now() - event.startedAt;
  event.error = error === undefined ? undefined : RpcError.from(error);
  event.code = event.error?.code ?? code ?? 0;
  if (event.error !== undefined) channels.error.publish(event);
  channels.asyncStart.publish(event);
  channels.asyncEnd.publish(event);
}
