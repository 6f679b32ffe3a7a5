// A channel whose calls are told of on `guestwire:client.call`. Without subscribers it passes calls on as they are.
import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallOptions, Channel, CloseOptions } from "./channel.js";
import { Code } from "./code.js";
import { ClientCallEvent, callBegins, callEnds, clientCalls } from "./diagnostics.js";
import { Metadata } from "./metadata.js";
import {
  clientStreams,
  type MessageStream,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { isStream, mapped } from "./streams.js";

/** Gives a channel that does what `inner` does and tells of it. Closing it closes `inner`. */
export function observed(inner: Channel): Channel {
  return new ObservedChannel(inner);
}

class ObservedChannel implements Channel {
  readonly target: string;
  readonly protocol: string | undefined;
  readonly secure: boolean | undefined;
  readonly #inner: Channel;

  constructor(inner: Channel) {
    this.#inner = inner;
    this.target = inner.target;
    this.protocol = inner.protocol;
    this.secure = inner.secure;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>> {
    if (!clientCalls.hasSubscribers) return this.#inner.unary(method, request, options);
    const { event, given } = this.#begin(method, options);
    return callBegins(clientCalls, event, async () => {
      event.sent = 1;
      try {
        const response = await this.#inner.unary(method, request, given);
        event.received = 1;
        callEnds(clientCalls, event, undefined);
        return response;
      } catch (error) {
        callEnds(clientCalls, event, error);
        throw error;
      }
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: StreamingMethod<I, O>,
    request: MessageInitShape<I> | MessageStream<MessageInitShape<I>>,
    options?: CallOptions,
  ): ResponseStream<MessageShape<O>> {
    if (!clientCalls.hasSubscribers) return this.#inner.stream(method, request, options);
    const { event, given } = this.#begin(method, options);
    return callBegins(clientCalls, event, () => {
      const requests = clientStreams(method) && isStream(request) ? counted(request, event) : request;
      if (requests === request) event.sent = 1;
      const responses = this.#inner.stream(method, requests as typeof request, given);
      return new ObservedResponses(responses, event) as ResponseStream<MessageShape<O>>;
    });
  }

  close(options?: CloseOptions): Promise<void> {
    return this.#inner.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner.close();
  }

  #begin(
    method: UnaryMethod | StreamingMethod,
    options: CallOptions | undefined,
  ): { event: ClientCallEvent; given: CallOptions | undefined } {
    let metadata: Metadata | undefined;
    try {
      metadata = new Metadata(options?.metadata);
    } catch {
      // The call itself will say what is wrong with it.
    }
    const event = new ClientCallEvent(method, this.protocol, this.target, metadata ?? new Metadata());
    return { event, given: metadata === undefined ? options : { ...options, metadata } };
  }
}

/** The requests, counted as they are taken. */
function counted(requests: MessageStream<unknown>, event: ClientCallEvent): AsyncIterable<unknown> {
  return mapped(requests, (request) => {
    event.sent++;
    return request;
  });
}

/** The responses of a call, counted as they are read. */
class ObservedResponses implements ResponseStream<Message> {
  readonly #source: ResponseStream<Message>;
  readonly #event: ClientCallEvent;

  constructor(source: ResponseStream<Message>, event: ClientCallEvent) {
    this.#source = source;
    this.#event = event;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    try {
      const result = await this.#source.next();
      if (result.done) callEnds(clientCalls, this.#event, undefined);
      else this.#event.received++;
      return result;
    } catch (error) {
      callEnds(clientCalls, this.#event, error);
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    callEnds(clientCalls, this.#event, undefined, Code.Canceled);
    return this.#source.return();
  }

  async throw(error?: unknown): Promise<IteratorResult<Message, undefined>> {
    callEnds(clientCalls, this.#event, undefined, Code.Canceled);
    return this.#source.throw(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    callEnds(clientCalls, this.#event, undefined, Code.Canceled);
    await this.#source[Symbol.asyncDispose]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
