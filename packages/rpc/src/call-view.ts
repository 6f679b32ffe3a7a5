// What an interceptor holds of a call: its own copy of the message, and getters onto the rest. Classes, as an object
// literal with getters for each call costs 600 ns against 16 and fills the old generation of the heap.
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ChannelInfo } from "./channel.js";
import type { ContextValues } from "./context-values.js";
import type { HandlerContext } from "./handler-context.js";
import type { CallNext, InterceptedCall, StreamCall, UnaryCall } from "./interceptor.js";
import type { Metadata } from "./metadata.js";

/** Where the rest of a call is found: the handler's context on the server, the call's own state on the client. */
export interface CallSource {
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
  readonly values: ContextValues;
  readonly channel?: ChannelInfo;
  readonly onHeader?: ((header: Metadata) => void) | undefined;
  readonly onTrailer?: ((trailer: Metadata) => void) | undefined;
  timeRemainingMs(): number;
}

/** Under this key a call carries its source; a spread takes it along. */
export const sourceKey: unique symbol = Symbol("guestwire.call");

abstract class CallView {
  readonly method: DescMethod;
  readonly path: string;
  readonly context: HandlerContext | undefined;
  readonly [sourceKey]: CallSource;

  constructor(method: DescMethod, path: string, source: CallSource, context: HandlerContext | undefined) {
    this.method = method;
    this.path = path;
    this.context = context;
    this[sourceKey] = source;
  }

  get metadata(): Metadata {
    return this[sourceKey].metadata;
  }

  get signal(): AbortSignal {
    return this[sourceKey].signal;
  }

  get values(): ContextValues {
    return this[sourceKey].values;
  }

  get channel(): ChannelInfo | undefined {
    return this[sourceKey].channel;
  }

  get onHeader(): ((header: Metadata) => void) | undefined {
    return this[sourceKey].onHeader;
  }

  get onTrailer(): ((trailer: Metadata) => void) | undefined {
    return this[sourceKey].onTrailer;
  }

  timeRemainingMs(): number {
    return this[sourceKey].timeRemainingMs();
  }
}

class UnaryView extends CallView implements UnaryCall {
  readonly stream = false as const;
  readonly message: Message;

  constructor(
    method: DescMethod,
    path: string,
    source: CallSource,
    context: HandlerContext | undefined,
    message: Message,
  ) {
    super(method, path, source, context);
    this.message = message;
  }
}

class StreamView extends CallView implements StreamCall {
  readonly stream = true as const;
  readonly messages: AsyncIterable<Message>;

  constructor(
    method: DescMethod,
    path: string,
    source: CallSource,
    context: HandlerContext | undefined,
    messages: AsyncIterable<Message>,
  ) {
    super(method, path, source, context);
    this.messages = messages;
  }
}

/** A call with one request, as interceptors see it. */
export function unaryView(
  method: DescMethod,
  path: string,
  source: CallSource,
  context: HandlerContext | undefined,
  message: Message,
): UnaryCall {
  return new UnaryView(method, path, source, context, message);
}

/** A call with a stream, as interceptors see it. */
export function streamView(
  method: DescMethod,
  path: string,
  source: CallSource,
  context: HandlerContext | undefined,
  messages: AsyncIterable<Message>,
): StreamCall {
  return new StreamView(method, path, source, context, messages);
}

/**
 * Passes calls on with all their parts. `{ ...call, message }` takes own properties along but no getters: they are given
 * back here, beside whatever the interceptor has set itself.
 */
export function completing(next: CallNext): CallNext {
  return (call) => next(call instanceof CallView || !hasSource(call) ? call : completed(call));
}

function completed(call: InterceptedCall): InterceptedCall {
  const { prototype } = call.stream ? StreamView : UnaryView;
  return Object.create(prototype, Object.getOwnPropertyDescriptors(call));
}

function hasSource(call: object): boolean {
  return typeof call === "object" && call !== null && sourceKey in call;
}
