// Which handler serves which method. Exact names only; knows no wire, no connection and no message encoding.
import type { DescMessage, DescMethod, DescService, Message, MessageInitShape } from "@bufbuild/protobuf";
import { type Admission, type Authorize, admissionOf } from "./authorize.js";
import { streamView, unaryView } from "./call-view.js";
import { Code } from "./code.js";
import { codecFor } from "./codec/codec.js";
import type { HandlerContext } from "./handler-context.js";
import { checkedReply, checkInterceptors, composeInterceptors, type Interceptor } from "./interceptor.js";
import {
  clientStreams,
  type HandlerMethod,
  type MessageStream,
  methodPath,
  methodsOf,
  serverStreams,
} from "./method.js";
import { observedRoute } from "./observed-route.js";
import { RpcError } from "./rpc-error.js";
import { deferred, isStream, leave, mapped, only, onlyMessage } from "./streams.js";

/** The handlers of a service by their methods' names in lower camel case. */
export type Handlers<S extends DescService> = {
  [K in keyof S["method"]]: HandlerMethod<S["method"][K], HandlerContext>;
};

/** What holds for all methods of one registered service. */
export interface ServiceOptions {
  /** Run around every call of the service, inside of the router's own, the first outermost. Default none. */
  readonly interceptors?: readonly Interceptor[];
  /** Decides who may call, before interceptors run; behind the router's own, and both must allow. Default everybody. */
  readonly authorize?: Authorize;
}

/** Where handlers are registered: a router, or a transport's server. */
export interface ServiceRegistry {
  /** The registered services, in order; one array, to which later ones are added. */
  readonly services: readonly DescService[];
  /**
   * Serves a service with these handlers. A method without one answers `Unimplemented`.
   *
   * @returns The registry itself, for the next call.
   * @throws {RpcError} Code.AlreadyExists when the service is registered; Code.InvalidArgument when a handler is no
   * function.
   */
  service<S extends DescService>(service: S, handlers: Partial<Handlers<S>>, options?: ServiceOptions): this;
}

/** One method that can be called, interceptors included. For transports. */
export interface MethodRoute {
  readonly method: DescMethod;
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** The request side: whether the handler takes a stream of messages. */
  readonly clientStreams: boolean;
  /** The response side: whether the handler gives a stream of messages. */
  readonly serverStreams: boolean;
  /** Runs a handler that gives one response. May return it at once. */
  readonly single: (request: Request, context: HandlerContext) => Response | Promise<Response>;
  /** Runs a handler that gives a stream of responses. */
  readonly many: (request: Request, context: HandlerContext) => MessageStream<Response>;
}

/** A message, or the stream of messages where the client streams. */
export type Request = Message | AsyncIterable<Message>;
/** A message, or an init of one. */
export type Response = MessageInitShape<DescMessage>;

/** A set of services with their handlers. */
export interface Router extends ServiceRegistry {
  /** The route of a method, by exact names; `undefined` where there is none. */
  find(service: string, method: string): MethodRoute | undefined;
  /** The error for a call that `find` has no route for: `Unimplemented`, naming the service or the method. */
  missing(service: string, method: string): RpcError;
}

/**
 * Makes an empty router.
 *
 * @param options `interceptors` run around every call, the first outermost; `authorize` decides who may call. Default none.
 */
export function createRouter(options: ServiceOptions = {}): Router {
  const services: DescService[] = [];
  const routes = new Map<string, Map<string, MethodRoute>>();
  return {
    services,
    service(service, handlers, own = {}) {
      if (routes.has(service.typeName)) {
        throw new RpcError(Code.AlreadyExists, `the service ${service.typeName} is registered already`);
      }
      if (typeof handlers !== "object" || handlers === null) {
        throw new RpcError(Code.InvalidArgument, `the handlers of ${service.typeName} are no object`);
      }
      checkInterceptors(options.interceptors);
      checkInterceptors(own.interceptors);
      const interceptors = [...(options.interceptors ?? []), ...(own.interceptors ?? [])];
      const hooks = [options.authorize, own.authorize];
      const table = new Map<string, MethodRoute>();
      for (const [localName, method] of methodsOf(service)) {
        const found = (handlers as Record<string, unknown>)[localName];
        // What every object inherits is no handler, should a method ever have such a name.
        const handler = found === (Object.prototype as Record<string, unknown>)[localName] ? undefined : found;
        if (handler !== undefined && typeof handler !== "function") {
          throw new RpcError(Code.InvalidArgument, `the handler of ${methodPath(method)} is not a function`);
        }
        // Bound, so that an instance of a class can be given as handlers.
        const route = createRoute(method, handler?.bind(handlers), interceptors);
        table.set(method.name, observedRoute(guarded(route, admissionOf(method, hooks))));
      }
      services.push(service);
      routes.set(service.typeName, table);
      return this;
    },
    find: (service, method) => routes.get(service)?.get(method),
    missing: (service, method) =>
      new RpcError(Code.Unimplemented, routes.has(service) ? `method ${method}` : `service ${service}`),
  };
}

type AnyHandler = (request: Request, context: HandlerContext) => unknown;

function createRoute(
  method: DescMethod,
  handler: AnyHandler | undefined,
  interceptors: readonly Interceptor[],
): MethodRoute {
  const path = methodPath(method);
  const run: AnyHandler =
    handler ??
    (() => {
      throw new RpcError(Code.Unimplemented, `method ${method.name}`);
    });
  const base = {
    method,
    path,
    clientStreams: clientStreams(method),
    serverStreams: serverStreams(method),
  };
  if (interceptors.length === 0) {
    return {
      ...base,
      single: run as MethodRoute["single"],
      many: (request, context) => checkedStream(run(request, context), path),
    };
  }
  const composed = composeInterceptors(interceptors, async (call) => {
    const context = call.context as HandlerContext;
    if (!call.stream) return { stream: false, message: asMessage(method, await run(call.message, context)) };
    const request = base.clientStreams ? call.messages : await onlyMessage(call.messages, `the request to ${path}`);
    if (!base.serverStreams) return { stream: true, messages: only(asMessage(method, await run(request, context))) };
    const responses = mapped(
      checkedStream(run(request, context), path),
      (response) => asMessage(method, response),
      // An interceptor that is a generator hears of a reader who left only between two messages; the handler's own
      // stream, which may wait for something that never comes, hears of it at once.
      (source) => onAbort(context.signal, () => leave(source)),
    );
    return { stream: true, messages: responses };
  });
  return {
    ...base,
    single: async (request, context) => {
      const call = base.clientStreams
        ? streamView(method, path, context, context, request as AsyncIterable<Message>)
        : unaryView(method, path, context, context, request as Message);
      const reply = checkedReply(await composed(call), path);
      return reply.stream ? onlyMessage(reply.messages, `the answer of ${path}`) : reply.message;
    },
    many: (request, context) =>
      deferred(async () => {
        const messages = base.clientStreams ? (request as AsyncIterable<Message>) : only(request as Message);
        const reply = checkedReply(await composed(streamView(method, path, context, context, messages)), path);
        if (!reply.stream) throw new RpcError(Code.Internal, `an interceptor answered ${path} without a stream`);
        return reply.messages;
      }),
  };
}

/** A route that first asks whether the call may go on. */
function guarded(route: MethodRoute, admit: Admission | undefined): MethodRoute {
  if (admit === undefined) return route;
  const { single, many } = route;
  return {
    ...route,
    single: (request, context) => {
      const admitted = admit(context);
      return admitted === undefined ? single(request, context) : admitted.then(() => single(request, context));
    },
    many: (request, context) => {
      const admitted = admit(context);
      return admitted === undefined
        ? many(request, context)
        : deferred(() => admitted.then(() => many(request, context)));
    },
  };
}

/** What interceptors see of a handler's result: a message with all its fields. */
function asMessage(method: DescMethod, response: unknown): Message {
  if (typeof response !== "object" || response === null) {
    const what = response === null ? "null" : typeof response;
    throw new RpcError(Code.Internal, `the handler of ${methodPath(method)} returned ${what} where a message is due`);
  }
  return codecFor(method.output).create(response as Response);
}

function checkedStream(result: unknown, path: string): MessageStream<Response> {
  if (isStream(result)) return result as MessageStream<Response>;
  throw new RpcError(Code.Internal, `the handler of ${path} returned no iterable of responses`);
}

function onAbort(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
}
