// A transport of Connect as a channel of ours: what our clients call on, whatever is behind it. The end of a call is ours,
// so that deadlines, signals and leaving work as on every channel.
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Code as ConnectCode, ConnectError, type Transport } from "@connectrpc/connect";
import {
  type CallDefaults,
  type CallOptions,
  type Channel,
  type CloseOptions,
  Code,
  createContextValues,
  Metadata,
  type ResponseStream,
  RpcError,
} from "@guestwire/rpc";
import {
  abandon,
  CallEnd,
  clientStreams,
  closedResponses,
  endedResponses,
  isStream,
  leave,
  methodPath,
  type StreamingMethod,
  transportChannel,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import { connectValuesOf } from "./context-values.js";
import { fromRpc, toConnectError, toRpcError } from "./errors.js";
import { canBeHeader, headersOf, metadataOf } from "./headers.js";
import { hooked } from "./streams.js";

/** How a channel over a transport of Connect behaves. */
export interface ChannelOptions extends CallDefaults {
  /** Where the transport leads, for logs and errors; a transport does not say. Default `connect:`. */
  readonly target?: string;
  /** The wire, as `connect`, `grpc`, `grpc-web`, for logs and measurements. Default `connect`. */
  readonly protocol?: string;
}

/**
 * Makes a channel of a Connect transport, for `createClient` of `@guestwire/rpc`.
 *
 * Closing the channel ends its calls; the transport itself has no end and stays as it is.
 *
 * @throws {RpcError} Code.InvalidArgument when the transport is none, or an option is wrong.
 *
 * @example
 * const channel = toChannel(createGrpcTransport({ baseUrl: "https://host" }), { target: "https://host" });
 */
export function toChannel(transport: Transport, options: ChannelOptions = {}): Channel {
  if (typeof transport?.unary !== "function" || typeof transport.stream !== "function") {
    throw new RpcError(Code.InvalidArgument, "toChannel() needs a transport of Connect, as createConnectTransport()");
  }
  const { target = "connect:", protocol = "connect", ...defaults } = options;
  return transportChannel(new TransportChannel(transport, target, protocol), defaults);
}

const longestTimerMs = 2 ** 31 - 1;

class TransportChannel implements Channel {
  readonly target: string;
  readonly protocol: string;
  readonly #transport: Transport;
  readonly #calls = new Set<CallEnd>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(transport: Transport, target: string, protocol: string) {
    this.#transport = transport;
    this.target = target;
    this.protocol = protocol;
  }

  async unary(method: UnaryMethod, request: object, options: CallOptions = {}): Promise<never> {
    const end = this.#begin(method, options);
    try {
      const header = toHeaders(options.metadata);
      checkMessage(method.input, request);
      const signal = signalOf(end);
      const reply = await end.race(async () =>
        this.#transport.unary(method, signal, timeoutOf(end, options), header, request as never, valuesIn(options)),
      );
      tell(end, "onHeader", options, reply.header);
      tell(end, "onTrailer", options, reply.trailer);
      return reply.message as never;
    } catch (error) {
      if (end.error === undefined && error instanceof ConnectError && error.metadata.keys().next().done !== true) {
        tell(end, "onTrailer", options, error.metadata);
      }
      throw asRpcError(error, end);
    } finally {
      end.settle();
    }
  }

  stream(method: StreamingMethod, request: unknown, options: CallOptions = {}): ResponseStream<never> {
    let end: CallEnd;
    try {
      end = this.#begin(method, options);
    } catch (error) {
      if (clientStreams(method)) abandon(request);
      return closedResponses(RpcError.from(error));
    }
    if (end.settled && clientStreams(method)) abandon(request);
    return endedResponses<never>(
      end,
      async () => {
        const header = toHeaders(options.metadata, () => abandon(request));
        const requests = requestsOf(method, request, end);
        const reply = await this.#transport.stream(
          method,
          signalOf(end),
          timeoutOf(end, options),
          header,
          requests as AsyncIterable<never>,
          valuesIn(options),
        );
        tell(end, "onHeader", options, reply.header);
        return hooked(reply.message as AsyncIterable<never>, {
          ended: () => tell(end, "onTrailer", options, reply.trailer),
        });
      },
      (error) => asRpcError(error, end),
    );
  }

  close({ graceMs = 0 }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(method: DescMethod, { timeoutMs, signal }: CallOptions): CallEnd {
    const path = methodPath(method);
    if (this.#closing !== undefined) {
      const parts = { method: path, peer: this.target, reason: "connection_closed" } as const;
      throw new RpcError(Code.Unavailable, "the channel is closed", parts);
    }
    const end = new CallEnd(path, this.target, timeoutMs, signal === undefined ? [] : [signal]);
    this.#calls.add(end);
    end.whenOver(() => {
      this.#calls.delete(end);
      if (this.#calls.size === 0) this.#emptied?.();
    });
    return end;
  }

  async #close(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.#calls.size > 0) {
      const empty = Promise.withResolvers<void>();
      this.#emptied = empty.resolve;
      const timer = setTimeout(empty.resolve, Math.min(graceMs, longestTimerMs));
      await empty.promise;
      clearTimeout(timer);
    }
    for (const call of [...this.#calls]) call.fail(Code.Canceled, "the channel was closed", "canceled");
  }
}

/** What the transport is told of the deadline: the time that is left, 0 for no limit, `undefined` for its own default. */
function timeoutOf(end: CallEnd, { timeoutMs }: CallOptions): number | undefined {
  if (timeoutMs === undefined) return undefined;
  const left = end.timeRemainingMs();
  // Connect's timers end at once for more than they can count; the channel's own clock ends such a call.
  return left > longestTimerMs ? 0 : Math.max(1, Math.ceil(left));
}

/** Fires when the call ends early, with an error of Connect: its transports tell the server by the error's code. */
function signalOf(end: CallEnd): AbortSignal {
  const controller = new AbortController();
  end.whenOver((error) => {
    if (error !== undefined) controller.abort(toConnectError(error));
  });
  return controller.signal;
}

function valuesIn({ values }: CallOptions): ReturnType<typeof connectValuesOf> {
  return connectValuesOf(values ?? createContextValues());
}

/** Request metadata as Headers; what they would leave out is refused. */
function toHeaders(init: CallOptions["metadata"], refused?: () => void): Headers {
  try {
    const metadata = new Metadata(init);
    for (const [key, value] of metadata) {
      if (canBeHeader(key, value)) continue;
      throw new RpcError(Code.InvalidArgument, `the metadata key "${key}" has a value that no HTTP header can hold`);
    }
    return headersOf(metadata);
  } catch (error) {
    refused?.();
    throw error;
  }
}

/** The requests as Connect takes them: always a stream. They are left when the call ends. */
function requestsOf(method: StreamingMethod, request: unknown, end: CallEnd): AsyncIterable<unknown> {
  if (!clientStreams(method)) checkMessage(method.input, request);
  else if (!isStream(request)) throw new RpcError(Code.InvalidArgument, "the requests are no iterable");
  const given = clientStreams(method) ? (request as AsyncIterable<unknown>) : [request];
  const requests = hooked(given, { each: (message) => checkMessage(method.input, message), failed: fromRpc });
  end.whenOver(() => leave(requests));
  return requests;
}

function checkMessage(schema: DescMessage, message: unknown): void {
  if (typeof message === "object" && message !== null) return;
  const what = message === null ? "null" : typeof message;
  throw new RpcError(Code.InvalidArgument, `${what} was given where a ${schema.typeName} is due`);
}

/** Tells the caller; what that throws ends the call. */
function tell(end: CallEnd, callback: "onHeader" | "onTrailer", options: CallOptions, headers: Headers): void {
  const listener = options[callback];
  if (listener === undefined) return;
  try {
    listener(new Metadata(metadataOf(headers)));
  } catch (error) {
    const { code, rawMessage } = RpcError.from(error);
    end.fail(code, `${callback} failed: ${rawMessage}`, undefined, error);
    if (end.error !== undefined) throw end.error;
  }
}

function asRpcError(error: unknown, end: CallEnd): RpcError {
  const call = { method: end.path, peer: end.target };
  const late = error instanceof ConnectError && error.code === ConnectCode.DeadlineExceeded;
  // Connect's clock and ours run for the same time: whichever is first, the deadline has passed here.
  if (late && end.timeRemainingMs() === 0) {
    return new RpcError(Code.DeadlineExceeded, "the deadline passed", { ...call, reason: "deadline" });
  }
  return toRpcError(error, call);
}
