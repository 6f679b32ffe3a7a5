// A channel around a channel that adds call defaults and runs interceptors. Adds nothing to a call that needs nothing.
import type { DescMessage, DescMethod, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallDefaults, CallOptions, Channel, CloseOptions } from "./channel.js";
import { Code } from "./code.js";
import { codecFor } from "./codec/codec.js";
import { createContextValues } from "./context-values.js";
import { type CallNext, composeInterceptors, type InterceptedCall, type Interceptor } from "./interceptor.js";
import { Metadata, type MetadataInit } from "./metadata.js";
import {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { deferredResponses } from "./response-stream.js";
import { RpcError } from "./rpc-error.js";

/**
 * Gives a channel whose calls have these defaults and run through these interceptors. The channel itself stays as it is;
 * closing the result closes it.
 *
 * @param channel The channel to make the calls on.
 * @param defaults With nothing in it, the channel itself is returned.
 * @throws {RpcError} Code.InvalidArgument when the defaults' timeout or metadata is wrong.
 */
export function withDefaults(channel: Channel, defaults: CallDefaults): Channel {
  const { interceptors = [], timeoutMs, metadata, signal } = defaults;
  if (interceptors.length === 0 && timeoutMs === undefined && metadata === undefined && signal === undefined) {
    return channel;
  }
  checkTimeout(timeoutMs);
  const shared = { timeoutMs, signal, metadata: metadata === undefined ? undefined : new Metadata(metadata) };
  const merge = (options: CallOptions | undefined): CallOptions => mergeOptions(shared, options);
  const inner: Channel = {
    target: channel.target,
    unary: (method, request, options) => channel.unary(method, request, merge(options)),
    stream: (method, request, options) => channel.stream(method, request, merge(options)),
    close: (options?: CloseOptions) => channel.close(options),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
  return interceptors.length === 0 ? inner : intercepted(channel, merge, interceptors);
}

/** Refuses a timeout that is no time: NaN, negative, or not a number. 0 and Infinity mean no limit. */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs >= 0)) return;
  throw new RpcError(Code.InvalidArgument, `timeoutMs must be a number of milliseconds from 0 on, not ${timeoutMs}`);
}

interface SharedOptions {
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly metadata: Metadata | undefined;
}

function mergeOptions(shared: SharedOptions, own: CallOptions | undefined): CallOptions {
  const timeoutMs = own?.timeoutMs ?? shared.timeoutMs;
  const signal = anySignal(shared.signal, own?.signal);
  const metadata = joinMetadata(shared.metadata, own?.metadata);
  return {
    ...own,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(signal !== undefined && { signal }),
    ...(metadata !== undefined && { metadata }),
  };
}

function anySignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a === undefined ? b : b === undefined ? a : AbortSignal.any([a, b]);
}

function joinMetadata(a: Metadata | undefined, b: MetadataInit | undefined): MetadataInit | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const joined = new Metadata(a);
  for (const [key, value] of new Metadata(b)) joined.append(key, value);
  return joined;
}

/** The channel whose calls go through interceptors; the innermost step makes the real call. */
function intercepted(
  channel: Channel,
  merge: (options: CallOptions | undefined) => CallOptions,
  interceptors: readonly Interceptor[],
): Channel {
  const optionsOf = new WeakMap<CallOwner, CallOptions>();
  const innermost: CallNext = async (call) => {
    const left = call.timeRemainingMs();
    const options: CallOptions = {
      ...optionsOf.get(call.values as CallOwner),
      metadata: call.metadata,
      signal: call.signal,
      values: call.values,
      timeoutMs: left,
    };
    if (left <= 0) throw deadlineError(call.path, channel.target);
    if (!call.stream) {
      return { stream: false, message: await channel.unary(call.method as UnaryMethod, call.message, options) };
    }
    const request = clientStreams(call.method) ? call.messages : await onlyRequest(call.messages, call.path);
    return { stream: true, messages: channel.stream(call.method as StreamingMethod, request, options) };
  };
  const run = composeInterceptors(interceptors, innermost);

  /** Prepares what interceptors see. The controller is this call's own, so that ending it leaves no listener behind. */
  const begin = (method: DescMethod, given: CallOptions | undefined) => {
    const options = merge(given);
    checkTimeout(options.timeoutMs);
    const limit = options.timeoutMs ? performance.now() + options.timeoutMs : Number.POSITIVE_INFINITY;
    const values = options.values ?? createContextValues();
    optionsOf.set(values as CallOwner, options);
    return {
      method,
      path: methodPath(method),
      metadata: new Metadata(options.metadata),
      signal: options.signal ?? neverAborted,
      timeRemainingMs: () => Math.max(0, limit - performance.now()),
      values,
      context: undefined,
    };
  };

  return {
    target: channel.target,
    async unary<I extends DescMessage, O extends DescMessage>(
      method: UnaryMethod<I, O>,
      request: MessageInitShape<I>,
      options?: CallOptions,
    ): Promise<MessageShape<O>> {
      const message: Message = codecFor(method.input).create(request);
      const reply = await run({ ...begin(method, options), stream: false, message });
      if (reply.stream)
        throw new RpcError(Code.Internal, `an interceptor answered ${methodPath(method)} with a stream`);
      return reply.message as MessageShape<O>;
    },
    stream<I extends DescMessage, O extends DescMessage>(
      method: StreamingMethod<I, O>,
      request: MessageInitShape<I> | MessageStream<MessageInitShape<I>>,
      options?: CallOptions,
    ): ResponseStream<MessageShape<O>> {
      return deferredResponses(async () => {
        const codec = codecFor(method.input);
        const messages = clientStreams(method)
          ? created(request as MessageStream<MessageInitShape<I>>, (init) => codec.create(init))
          : single(codec.create(request as MessageInitShape<I>));
        const call: InterceptedCall = { ...begin(method, options), stream: true, messages };
        const reply = await run(call);
        if (!reply.stream) throw new RpcError(Code.Internal, `an interceptor answered ${call.path} without a stream`);
        return reply.messages as AsyncIterable<MessageShape<O>>;
      });
    },
    close: (options?: CloseOptions) => channel.close(options),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

type CallOwner = object;

const neverAborted: AbortSignal = new AbortController().signal;

function deadlineError(method: string, peer: string): RpcError {
  return new RpcError(Code.DeadlineExceeded, "the deadline passed before the call was sent", {
    method,
    peer,
    reason: "deadline",
  });
}

async function* single<T>(value: T): AsyncIterable<T> {
  yield value;
}

async function* created<T, U>(values: MessageStream<T>, make: (value: T) => U): AsyncIterable<U> {
  for await (const value of values) yield make(value);
}

async function onlyRequest(messages: AsyncIterable<Message>, path: string): Promise<Message> {
  let found: Message | undefined;
  for await (const message of messages) {
    if (found !== undefined) throw new RpcError(Code.Internal, `an interceptor sends several requests to ${path}`);
    found = message;
  }
  if (found === undefined) throw new RpcError(Code.Internal, `an interceptor sends no request to ${path}`);
  return found;
}
