// Which handler serves which method. Exact names only; knows no wire, no connection and no message encoding.
import type { DescMessage, DescMethod, DescService, Message, MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "./code.js";
import type { HandlerContext } from "./handler-context.js";
import { type CallInfo, composeInterceptors, type Interceptor } from "./interceptor.js";
import { clientStreams, type HandlerMethod, type MessageStream, methodPath, methodsOf } from "./method.js";
import { RpcError } from "./rpc-error.js";

/** The handlers of a service by their methods' names in lower camel case. */
export type Handlers<S extends DescService> = {
  [K in keyof S["method"]]: HandlerMethod<S["method"][K], HandlerContext>;
};

/** What holds for all methods of one registered service. */
export interface ServiceOptions {
  /** Run around every call of the service, inside of the router's own, the first outermost. Default none. */
  readonly interceptors?: readonly Interceptor[];
}

/** Where handlers are registered: a router, or a transport's server. */
export interface ServiceRegistry {
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
  /** The registered services, in order. */
  readonly services: readonly DescService[];
  /** The route of a method, by exact names; `undefined` where there is none. */
  find(service: string, method: string): MethodRoute | undefined;
  /** The error for a call that `find` has no route for: `Unimplemented`, naming the service or the method. */
  missing(service: string, method: string): RpcError;
}

/**
 * Makes an empty router.
 *
 * @param options `interceptors` run around every call, the first outermost. Default none.
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
      const interceptors = [...(options.interceptors ?? []), ...(own.interceptors ?? [])];
      const table = new Map<string, MethodRoute>();
      for (const [localName, method] of methodsOf(service)) {
        const handler = (handlers as Record<string, unknown>)[localName];
        if (handler !== undefined && typeof handler !== "function") {
          throw new RpcError(Code.InvalidArgument, `the handler of ${methodPath(method)} is not a function`);
        }
        // Bound, so that an instance of a class can be given as handlers.
        table.set(method.name, createRoute(method, handler?.bind(handlers), interceptors));
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
    serverStreams: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
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
    if (!call.stream) return { stream: false, message: (await run(call.message, context)) as Message };
    const request = base.clientStreams ? call.messages : await first(call.messages, path);
    if (base.serverStreams) {
      return { stream: true, messages: asAsync(checkedStream(run(request, context), path)) as AsyncIterable<Message> };
    }
    return { stream: true, messages: one((await run(request, context)) as Message) };
  });
  return {
    ...base,
    single: async (request, context) => {
      const reply = await composed(
        base.clientStreams
          ? { ...infoOf(path, context), stream: true, messages: request as AsyncIterable<Message> }
          : { ...infoOf(path, context), stream: false, message: request as Message },
      );
      return reply.stream ? first(reply.messages, path) : reply.message;
    },
    many: (request, context) =>
      lazily(async () => {
        const messages = base.clientStreams ? (request as AsyncIterable<Message>) : one(request as Message);
        const reply = await composed({ ...infoOf(path, context), stream: true, messages });
        if (!reply.stream) throw new RpcError(Code.Internal, `an interceptor answered ${path} without a stream`);
        return reply.messages;
      }),
  };
}

function infoOf(path: string, context: HandlerContext): CallInfo {
  return {
    method: context.method,
    path,
    metadata: context.metadata,
    get signal() {
      return context.signal;
    },
    timeRemainingMs: () => context.timeRemainingMs(),
    values: context.values,
    context,
  };
}

function checkedStream(result: unknown, path: string): MessageStream<Response> {
  if (typeof result === "object" && result !== null && (Symbol.asyncIterator in result || Symbol.iterator in result)) {
    return result as MessageStream<Response>;
  }
  throw new RpcError(Code.Internal, `the handler of ${path} returned no iterable of responses`);
}

async function* asAsync<T>(values: MessageStream<T>): AsyncIterable<T> {
  yield* values;
}

async function* one<T>(value: T): AsyncIterable<T> {
  yield value;
}

async function* lazily<T>(make: () => Promise<AsyncIterable<T>>): AsyncIterable<T> {
  yield* await make();
}

async function first(messages: AsyncIterable<Message>, path: string): Promise<Message> {
  for await (const message of messages) return message;
  throw new RpcError(Code.Internal, `${path} has no message where it needs one`);
}
