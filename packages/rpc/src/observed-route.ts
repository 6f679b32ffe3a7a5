// What a served method does beside its work: tells of its calls on `guestwire:server.call`. Without subscribers it only
// passes them on. Knows neither interceptors nor access rules, which run inside.
import { Code } from "./code.js";
import { callBegins, callEnds, ServerCallEvent, serverCalls } from "./diagnostics.js";
import type { HandlerContext } from "./handler-context.js";
import { isPromise } from "./is-promise.js";
import type { MessageStream } from "./method.js";
import type { MethodRoute, Request, Response } from "./router.js";
import { iterate, leave, type MessageIterator, mapped } from "./streams.js";

/** A route that does what `inner` does and tells of it. */
export function observedRoute(inner: MethodRoute): MethodRoute {
  const { single, many } = inner;
  return {
    ...inner,
    single: (request, context) =>
      serverCalls.hasSubscribers ? observedSingle(inner, request, context) : single(request, context),
    many: (request, context) =>
      serverCalls.hasSubscribers ? observedMany(inner, request, context) : many(request, context),
  };
}

function observedSingle(route: MethodRoute, request: Request, context: HandlerContext): Response | Promise<Response> {
  const event = new ServerCallEvent(route.method, context);
  const sent = (): void => {
    event.sent = 1;
    ends(event, undefined);
  };
  const failed = (error: unknown): never => {
    ends(event, error);
    throw error;
  };
  return callBegins(serverCalls, event, () => {
    let result: Response | Promise<Response>;
    try {
      result = route.single(counted(route, request, event), context);
    } catch (error) {
      return failed(error);
    }
    if (isPromise(result)) {
      return Promise.resolve(result).then((response) => {
        sent();
        return response;
      }, failed);
    }
    sent();
    return result;
  });
}

function observedMany(route: MethodRoute, request: Request, context: HandlerContext): MessageStream<Response> {
  const event = new ServerCallEvent(route.method, context);
  return callBegins(serverCalls, event, () => {
    try {
      return new ObservedMessages(route.many(counted(route, request, event), context), event);
    } catch (error) {
      ends(event, error);
      throw error;
    }
  });
}

function counted(route: MethodRoute, request: Request, event: ServerCallEvent): Request {
  if (!route.clientStreams) {
    event.received = 1;
    return request;
  }
  return mapped(request as AsyncIterable<never>, (message) => {
    event.received++;
    return message;
  });
}

/** Ends a call. What the caller was told while the handler still worked goes before what the handler came to. */
function ends(event: ServerCallEvent, error: unknown, code?: Code): void {
  const { signal } = event.context;
  callEnds(serverCalls, event, signal.aborted ? signal.reason : error, code);
}

/** The responses of a handler, counted as they are taken. */
class ObservedMessages implements AsyncIterableIterator<Response, undefined, void> {
  readonly #source: MessageIterator<Response>;
  readonly #event: ServerCallEvent;

  constructor(source: MessageStream<Response>, event: ServerCallEvent) {
    this.#source = iterate(source);
    this.#event = event;
  }

  async next(): Promise<IteratorResult<Response, undefined>> {
    try {
      const result = await this.#source.next();
      if (result.done) {
        ends(this.#event, undefined);
        return { done: true, value: undefined };
      }
      this.#event.sent++;
      return result;
    } catch (error) {
      ends(this.#event, error);
      throw error;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    ends(this.#event, undefined, Code.Canceled);
    leave(this.#source);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
