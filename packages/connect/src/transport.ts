// A channel of ours as a transport of Connect: what Connect's clients call on. Interceptors, deadlines and signals run in
// Connect's own helpers, so that they behave as on any transport of Connect.
import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor as ConnectInterceptor,
  type ContextValues as ConnectValues,
  createContextValues as createConnectValues,
  type StreamRequest,
  type StreamResponse,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import { type CallOptions, type Channel, Metadata, Code as OurCode, RpcError } from "@guestwire/rpc";
import { checkSignal, checkTimeout, clientStreams, methodPath } from "@guestwire/rpc/transport";
import { CallTime } from "./call-time.js";
import { valuesOf } from "./context-values.js";
import { fromConnect, toConnectError } from "./errors.js";
import { type HeadersInit, headersOf, metadataOf } from "./headers.js";
import { leftWithReader } from "./left-streams.js";
import { baseUrlOf, methodUrl } from "./method-url.js";
import { ResponseMetadata } from "./response-metadata.js";
import { begun, hooked } from "./streams.js";

/** How a transport behaves; the names are those of Connect's own transports. */
export interface TransportOptions {
  /** Connect's interceptors, the first outermost. They run outside of the channel's. Default none. */
  readonly interceptors?: readonly ConnectInterceptor[];
  /** How long a call may take that sets no time, in milliseconds. Default: the channel's own, which is no limit. */
  readonly defaultTimeoutMs?: number;
  /** What stands in front of the path in the `url` that interceptors see. Default: the channel's target. */
  readonly baseUrl?: string;
}

/**
 * Makes a Connect transport of a channel, for `createClient` of `@connectrpc/connect`.
 *
 * The transport does not own the channel: close the channel when it is not needed any more.
 *
 * @throws {RpcError} Code.InvalidArgument when the channel is none, or an option is wrong.
 *
 * @example
 * const machines = createClient(MachineService, toTransport(connect("unix:///run/agent.sock")));
 */
export function toTransport(channel: Channel, options: TransportOptions = {}): Transport {
  if (typeof channel?.unary !== "function") {
    throw new RpcError(OurCode.InvalidArgument, "toTransport() needs a channel, as connect(address) gives one");
  }
  const interceptors = [...(options.interceptors ?? [])];
  for (const [index, interceptor] of interceptors.entries()) {
    if (typeof interceptor === "function") continue;
    throw new RpcError(OurCode.InvalidArgument, `interceptor ${index} is not a function`);
  }
  checkTimeout(options.defaultTimeoutMs);
  return new ChannelTransport(channel, interceptors, options);
}

class ChannelTransport implements Transport {
  readonly #channel: Channel;
  readonly #interceptors: ConnectInterceptor[];
  readonly #defaultTimeoutMs: number | undefined;
  readonly #baseUrl: string;

  constructor(channel: Channel, interceptors: ConnectInterceptor[], { defaultTimeoutMs, baseUrl }: TransportOptions) {
    this.#channel = channel;
    this.#interceptors = interceptors;
    this.#defaultTimeoutMs = defaultTimeoutMs;
    this.#baseUrl = baseUrl ?? baseUrlOf(channel.target);
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ConnectValues,
  ): Promise<UnaryResponse<I, O>> {
    const time = this.#timeOf(signal, timeoutMs);
    return runUnaryCall<I, O>({
      ...this.#common(signal, time),
      req: { stream: false, method, message: input, ...this.#request(method, header, contextValues) },
      next: async (request) => {
        const received = new ResponseMetadata();
        try {
          const options = callOptions(request, received, time);
          const message = await this.#channel.unary(method, request.message as MessageInitShape<I>, options);
          return { stream: false, ...response(method, received), message };
        } catch (error) {
          throw toConnectError(error, received.received.header);
        }
      },
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ConnectValues,
  ): Promise<StreamResponse<I, O>> {
    const call = this.#stream(method, signal, timeoutMs, header, input, contextValues);
    // Connect's clients wait for it only when the stream is read: until then its failure is nobody's.
    call.catch(() => {});
    return call;
  }

  async #stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues: ConnectValues | undefined,
  ): Promise<StreamResponse<I, O>> {
    const time = this.#timeOf(signal, timeoutMs);
    return runStreamingCall<I, O>({
      ...this.#common(signal, time),
      req: { stream: true, method, message: input, ...this.#request(method, header, contextValues) },
      next: async (request) => {
        const received = new ResponseMetadata();
        const failed = (error: unknown): ConnectError => toConnectError(error, received.received.header);
        try {
          const leaving = new AbortController();
          const options = callOptions(request, received, time, leaving.signal);
          const requests = hooked(request.message, { failed: fromConnect }) as AsyncIterable<MessageInitShape<I>>;
          const given = clientStreams(method) ? requests : await single(requests, method);
          const responses = await begun(this.#channel.stream(method, given, options), received.headerArrived);
          // A client that still sends may well not look at what comes back.
          const message = clientStreams(method)
            ? hooked(responses, { failed })
            : leftWithReader(responses, leaving, { failed });
          return { stream: true, ...response(method, received), message };
        } catch (error) {
          throw failed(error);
        }
      },
    });
  }

  /** What is wrong with a call is told before anything of it runs. */
  #timeOf(signal: AbortSignal | undefined, timeoutMs: number | undefined): CallTime {
    try {
      checkSignal(signal);
      if (typeof timeoutMs !== "number" || !(timeoutMs < 0)) checkTimeout(timeoutMs);
    } catch (error) {
      throw toConnectError(error);
    }
    return new CallTime(timeoutMs, this.#defaultTimeoutMs);
  }

  #common(
    signal: AbortSignal | undefined,
    { timerMs }: CallTime,
  ): { interceptors: ConnectInterceptor[]; signal?: AbortSignal; timeoutMs?: number } {
    return {
      interceptors: this.#interceptors,
      ...(signal !== undefined && { signal }),
      ...(timerMs !== undefined && { timeoutMs: timerMs }),
    };
  }

  #request(
    method: DescMethodUnary | DescMethodStreaming,
    header: HeadersInit | undefined,
    contextValues: ConnectValues | undefined,
  ): Pick<UnaryRequest, "service" | "requestMethod" | "url" | "header" | "contextValues"> {
    return {
      service: method.parent,
      requestMethod: "POST",
      url: methodUrl(this.#baseUrl, methodPath(method)),
      // A copy, as what interceptors change may be of another call.
      header: headersOf(new Metadata(metadataOf(header))),
      contextValues: contextValues ?? createConnectValues(),
    };
  }
}

/** What the channel is given of a call that Connect's interceptors have passed on. */
function callOptions(
  request: UnaryRequest | StreamRequest,
  received: ResponseMetadata,
  time: CallTime,
  leaving?: AbortSignal,
): CallOptions {
  if (time.leftMs <= 0) throw new ConnectError("the operation timed out", Code.DeadlineExceeded);
  const { timeoutMs } = time;
  const signal = time.signalFor(request.signal);
  return {
    signal: leaving === undefined ? signal : AbortSignal.any([signal, leaving]),
    metadata: metadataOf(request.header),
    values: valuesOf(request.contextValues),
    onHeader: received.onHeader,
    onTrailer: received.onTrailer,
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function response<M extends DescMethodUnary | DescMethodStreaming>(
  method: M,
  { header, trailer }: ResponseMetadata,
): { service: M["parent"]; method: M; header: Headers; trailer: Headers } {
  return { service: method.parent, method, header, trailer };
}

/** The one request where only the server streams; Connect has it as a stream. */
async function single<T>(messages: AsyncIterable<T>, method: DescMethodStreaming): Promise<T> {
  let found: { readonly message: T } | undefined;
  for await (const message of messages) {
    if (found !== undefined) throw cardinality("received extra input message for", method);
    found = { message };
  }
  if (found === undefined) throw cardinality("missing input message for", method);
  return found.message;
}

function cardinality(fault: string, method: DescMethodStreaming): ConnectError {
  return new ConnectError(`protocol error: ${fault} ${methodPath(method)}`, Code.Unimplemented);
}
