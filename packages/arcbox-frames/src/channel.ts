// connect(): a channel to an ArcBox agent, which keeps a few connections because each takes one call at a time. Frames are
// the calls' affair, connections the pools'.
import { AgentService } from "@guestwire/agent";
import { type CallDefaults, type CallOptions, type Channel, type CloseOptions, Code, RpcError } from "@guestwire/rpc";
import {
  abandon,
  CallEnd,
  checkKnown,
  clientStreams,
  closedResponses,
  type MessageStream,
  methodPath,
  optionNames,
  type ResponseStream,
  type StreamingMethod,
  transportChannel,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import type { FrameConnection } from "./connection.js";
import { type ConnectTarget, type Dialer, dialConnection, dialerFor } from "./dial.js";
import { type Limits, resolveLimits } from "./limits.js";
import { type FrameMethod, frameMethodOf } from "./numbers.js";
import { ConnectionPool } from "./pool.js";
import { protocol } from "./protocol.js";
import { callStream } from "./stream-call.js";
import { noTrace, type TraceIds, traceOf } from "./trace.js";
import { type CallHome, callOnce, type WireCall } from "./unary-call.js";

/** How a channel behaves. Call defaults and interceptors hold for all of its clients. */
export interface ConnectOptions extends CallDefaults {
  /** How long one attempt to connect may take, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * The trace id of calls whose metadata has neither `x-trace-id` nor `traceparent`; called with the method's path.
   * Default none, which the wire allows.
   */
  readonly traceId?: TraceIds;
  /** Bounds that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits>;
}

const known = optionNames<ConnectOptions>({
  timeoutMs: true,
  signal: true,
  metadata: true,
  interceptors: true,
  connectTimeoutMs: true,
  traceId: true,
  limits: true,
});

const longestTimerMs = 2 ** 31 - 1;
/** How long the ping may take that tells why a connection was closed, in milliseconds. */
const probeMs = 2000;

/**
 * Opens a channel to an ArcBox agent. Returns at once: connections are made when calls need them. A call that was sent is
 * never sent twice.
 *
 * The wire carries neither deadlines nor metadata. A deadline or a signal closes the connection, which is how an agent
 * hears of it; of the metadata only the trace id is sent.
 *
 * @param target An address (`vsock://3:1024`, of which the port may be left out; `hvsock:///path`, `unix:///path`,
 * `tcp://host:port`, `fd://3`), an open Duplex, or a function that opens one.
 * @param options See {@link ConnectOptions}.
 * @throws {RpcError} Code.InvalidArgument when the address, an option or a limit is wrong.
 *
 * @example
 * await using channel = connect("vsock://3", { timeoutMs: 5_000 });
 * const agent = createClient(AgentService, channel);
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Channel {
  checkKnown("connect()", options, known);
  return transportChannel(new FramesChannel(dialerFor(target), options), options);
}

class FramesChannel implements Channel, CallHome {
  readonly target: string;
  readonly protocol: string = protocol;
  readonly limits: Limits;
  readonly calls: ConnectionPool;
  readonly streams: ConnectionPool;
  readonly #traceId: TraceIds | undefined;
  readonly #running = new Set<CallEnd>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(dialer: Dialer, options: ConnectOptions) {
    this.target = dialer.target;
    this.limits = resolveLimits(options.limits);
    this.#traceId = checkedTraceId(options.traceId);
    const { limits } = this;
    const timeoutMs = checkedTimeout(options.connectTimeoutMs ?? 5000);
    const dial = (end: CallEnd): Promise<FrameConnection> => dialConnection(dialer, limits, timeoutMs, end.signal);
    const most = dialer.single ? 1 : limits.callConnections;
    this.calls = new ConnectionPool({ most, reuse: true, limits, dial });
    // Of their own, so that watchers, however many, keep no call from its turn.
    this.streams = dialer.single
      ? this.calls
      : new ConnectionPool({ most: limits.streamConnections, reuse: false, limits, dial });
  }

  async unary(method: UnaryMethod, request: object, options?: CallOptions): Promise<never> {
    const call = this.#begin(method, options);
    try {
      return (await call.end.race(() => callOnce(this, method, request, call))) as never;
    } finally {
      call.end.settle();
    }
  }

  stream(
    method: StreamingMethod,
    request: object | MessageStream<object>,
    options?: CallOptions,
  ): ResponseStream<never> {
    try {
      return callStream(this, method, request, this.#begin(method, options)) as ResponseStream<never>;
    } catch (error) {
      if (clientStreams(method)) abandon(request);
      return closedResponses(RpcError.from(error));
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 0);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async agentVersion(end: CallEnd): Promise<string | undefined> {
    const { ping } = AgentService.method;
    const wire = frameMethodOf(ping) as FrameMethod;
    const within = Math.max(1, Math.min(probeMs, end.timeRemainingMs()));
    const own = new CallEnd(wire.path, this.target, within, [end.signal]);
    try {
      const answer = await own.race(() => callOnce(this, ping, {}, { wire, end: own, trace: noTrace }));
      return (answer as unknown as { readonly version: string }).version;
    } catch {
      return undefined;
    } finally {
      own.settle();
    }
  }

  #begin(method: UnaryMethod | StreamingMethod, options: CallOptions = {}): WireCall {
    const path = methodPath(method);
    const parts = { method: path, peer: this.target };
    if (this.#closing !== undefined) {
      throw new RpcError(Code.Unavailable, "the channel is closed", { ...parts, reason: "connection_closed" });
    }
    const wire = frameMethodOf(method);
    if (wire === undefined) {
      throw new RpcError(Code.Unimplemented, `${path} has no number in ArcBox's frames`, parts);
    }
    const { timeoutMs, signal } = options;
    const trace = traceOf(options.metadata, path, this.#traceId);
    const end = new CallEnd(path, this.target, timeoutMs, signal === undefined ? [] : [signal]);
    this.#running.add(end);
    end.whenOver(() => {
      this.#running.delete(end);
      if (this.#running.size === 0) this.#emptied?.();
    });
    return { wire, end, trace };
  }

  async #close(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.#running.size > 0) {
      const empty = Promise.withResolvers<void>();
      this.#emptied = empty.resolve;
      const timer = setTimeout(empty.resolve, Math.min(graceMs, longestTimerMs));
      await empty.promise;
      clearTimeout(timer);
    }
    for (const end of [...this.#running]) end.fail(Code.Canceled, "the channel was closed", "canceled");
    await Promise.all([this.calls.close(), this.streams.close()]);
  }
}

function checkedTimeout(value: number): number {
  if (typeof value === "number" && value > 0) return Math.min(value, longestTimerMs);
  const text = `connectTimeoutMs must be a number of milliseconds above 0, not ${value}`;
  throw new RpcError(Code.InvalidArgument, text);
}

function checkedTraceId(value: TraceIds | undefined): TraceIds | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw new RpcError(Code.InvalidArgument, `traceId must be a function that gives a text, not ${typeof value}`);
}
