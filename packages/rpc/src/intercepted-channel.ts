// The client's side of interceptors: what they are given of a call, the real call behind them, and the call's end, which
// comes at the deadline or the signal also while an interceptor waits. Knows no wire.
import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { CallEnd } from "./call-end.js";
import { type CallSource, sourceKey, streamView, unaryView } from "./call-view.js";
import type { CallOptions, Channel, ChannelInfo } from "./channel.js";
import { Code } from "./code.js";
import { codecFor } from "./codec/codec.js";
import { type ContextValues, createContextValues } from "./context-values.js";
import { type CallNext, checkedReply, type InterceptedCall } from "./interceptor.js";
import { Metadata, type MetadataInit } from "./metadata.js";
import {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { closedResponses, endedResponses } from "./response-stream.js";
import { RpcError } from "./rpc-error.js";
import { abandon, isStream, leave, mapped, only, onlyMessage } from "./streams.js";

/** The options of one call, with what holds for all calls. Parts, as an object with all of them is dear to make (150 ns). */
export interface MergedOptions {
  /** The caller's own, of which the parts below are left aside. */
  readonly own: CallOptions | undefined;
  readonly timeoutMs: number | undefined;
  readonly metadata: MetadataInit | undefined;
  readonly signals: readonly AbortSignal[];
}

/** A call as its caller made it: what interceptors see of it, and what the real call needs. */
class Origin implements CallSource {
  readonly end: CallEnd;
  readonly timeoutMs: number | undefined;
  readonly signals: readonly AbortSignal[];
  readonly channel: ChannelInfo;
  readonly onHeader: CallOptions["onHeader"];
  readonly onTrailer: CallOptions["onTrailer"];
  /** What interceptors were given; still the same where none of them changed it. */
  call: InterceptedCall | undefined = undefined;
  /** A copy of the caller's, which interceptors may change; `undefined` where there are none and nobody has looked. */
  sent: Metadata | undefined;
  #values: ContextValues | undefined;

  constructor(end: CallEnd, { own, timeoutMs, metadata, signals }: MergedOptions, channel: ChannelInfo) {
    this.end = end;
    this.channel = channel;
    this.timeoutMs = timeoutMs;
    this.signals = signals;
    this.onHeader = own?.onHeader;
    this.onTrailer = own?.onTrailer;
    this.sent = metadata === undefined ? undefined : new Metadata(metadata);
    this.#values = own?.values;
  }

  get metadata(): Metadata {
    this.sent ??= new Metadata();
    return this.sent;
  }

  get signal(): AbortSignal {
    return this.end.signal;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  timeRemainingMs(): number {
    return this.end.timeRemainingMs();
  }
}

/** The innermost step: makes the call that the interceptors passed on. */
export function sendCall(channel: Channel): CallNext {
  return async (call) => {
    const options = callOptions(call, channel.target);
    if (!call.stream) {
      return { stream: false, message: await channel.unary(call.method as UnaryMethod, call.message, options) };
    }
    const request = clientStreams(call.method)
      ? call.messages
      : await onlyMessage(call.messages, `an interceptor's request to ${call.path}`);
    return { stream: true, messages: channel.stream(call.method as StreamingMethod, request, options) };
  };
}

/** The two kinds of calls of a channel, run through interceptors. */
export function interceptedCalls(
  channel: ChannelInfo,
  run: CallNext,
  merge: (own: CallOptions | undefined) => MergedOptions,
): Pick<Channel, "unary" | "stream"> {
  const { target } = channel;
  const begin = (path: string, own: CallOptions | undefined): Origin => {
    const merged = merge(own);
    return new Origin(new CallEnd(path, target, merged.timeoutMs, merged.signals), merged, channel);
  };
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: UnaryMethod<I, O>,
      request: MessageInitShape<I>,
      own?: CallOptions,
    ): Promise<MessageShape<O>> {
      const path = methodPath(method);
      const origin = begin(path, own);
      const { end } = origin;
      try {
        const call = unaryView(method, path, origin, undefined, created(method.input, request));
        origin.call = call;
        const reply = checkedReply(await end.race(() => run(call)), path);
        if (reply.stream) throw new RpcError(Code.Internal, `an interceptor answered ${path} with a stream`);
        return reply.message as MessageShape<O>;
      } catch (error) {
        throw asRpcError(error, path, target);
      } finally {
        end.settle();
      }
    },
    stream<I extends DescMessage, O extends DescMessage>(
      method: StreamingMethod<I, O>,
      request: MessageInitShape<I> | MessageStream<MessageInitShape<I>>,
      own?: CallOptions,
    ): ResponseStream<MessageShape<O>> {
      const path = methodPath(method);
      let origin: Origin;
      try {
        origin = begin(path, own);
      } catch (error) {
        if (clientStreams(method)) abandon(request);
        return closedResponses(asRpcError(error, path, target));
      }
      const { end } = origin;
      if (end.settled && clientStreams(method)) abandon(request);
      return endedResponses(
        end,
        async () => {
          const call = streamView(method, path, origin, undefined, requestsOf(method, request, end));
          origin.call = call;
          const reply = checkedReply(await run(call), path);
          if (!reply.stream) throw new RpcError(Code.Internal, `an interceptor answered ${path} without a stream`);
          return reply.messages as AsyncIterable<MessageShape<O>>;
        },
        (error) => asRpcError(error, path, target),
      );
    },
  };
}

/** What the channel is given: the caller's options as far as no interceptor has changed them. */
function callOptions(call: InterceptedCall, target: string): CallOptions {
  const source = (call as { [sourceKey]?: CallSource })[sourceKey];
  const origin = source instanceof Origin ? source : undefined;
  const left = call.timeRemainingMs();
  if (left <= 0) {
    throw new RpcError(Code.DeadlineExceeded, "the deadline passed before the call was sent", {
      method: call.path,
      peer: target,
      reason: "deadline",
    });
  }
  // Of a call that was passed on as it came, nothing is made that nobody has asked for.
  const same = call === origin?.call;
  const metadata = same ? origin.sent : call.metadata;
  // Such a unary call hears of the caller's signal by itself: one of its own would cost more than the rest.
  const signal = same && !call.stream && origin.signals.length < 2 ? origin.signals[0] : call.signal;
  const { onHeader, onTrailer } = call;
  // Written out, as spreading a few optional parts costs more than all of them.
  const given: { -readonly [K in keyof CallOptions]: CallOptions[K] } = { values: call.values };
  if (metadata !== undefined && metadata.size > 0) given.metadata = metadata;
  if (signal !== undefined) given.signal = signal;
  // Without a limit the option stays as it is: absent, so that a default of the channel's own holds, or given.
  if (left !== Number.POSITIVE_INFINITY) given.timeoutMs = left;
  else if (origin?.timeoutMs !== undefined) given.timeoutMs = origin.timeoutMs;
  if (onHeader !== undefined) given.onHeader = onHeader;
  if (onTrailer !== undefined) given.onTrailer = onTrailer;
  return given;
}

/** The requests as interceptors see them. They end with the call, whatever an interceptor makes of them. */
function requestsOf(method: StreamingMethod, request: unknown, end: CallEnd): AsyncIterable<Message> {
  if (!clientStreams(method)) return only(created(method.input, request));
  if (!isStream(request)) throw new RpcError(Code.InvalidArgument, "the requests are no iterable");
  let begun = false;
  end.whenOver(() => {
    if (!begun) abandon(request);
  });
  return mapped(
    request,
    (init) => created(method.input, init),
    (source) => {
      begun = true;
      end.whenOver(() => leave(source));
    },
  );
}

/** A request as interceptors see it: a message with all its fields. */
function created(schema: DescMessage, init: unknown): Message {
  if (typeof init === "object" && init !== null) return codecFor(schema).create(init as MessageInitShape<DescMessage>);
  const what = init === null ? "null" : typeof init;
  throw new RpcError(Code.InvalidArgument, `${what} was given where a ${schema.typeName} is due`);
}

/** Interceptors may throw anything; callers get one kind of error, which names the call. */
function asRpcError(error: unknown, method: string, peer: string): RpcError {
  if (error instanceof RpcError) return error;
  const { code, rawMessage } = RpcError.from(error);
  return new RpcError(code, rawMessage, { method, peer, cause: error });
}
