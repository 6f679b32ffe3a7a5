// Functions that register services on a ConnectRouter, as every server of Connect has one, on a registry of ours.
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import {
  Code,
  type HandlerContext,
  type Handlers,
  type Interceptor,
  RpcError,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { fromInterceptor } from "./from-interceptor.js";
import { connectContext } from "./handler-context.js";
import { failure, toHandler, toHandlers } from "./handlers.js";

/** What was registered of one service, in one or several steps. */
interface Registered {
  readonly service: DescService;
  readonly handlers: Record<string, unknown>;
  readonly interceptors: Interceptor[];
}

/**
 * Registers on a server of ours what a function registers on Connect's router.
 *
 * Of the options of a service or method `interceptors` and `requestGate` hold here; all others are about HTTP.
 *
 * @param registry A server or a router of ours.
 * @param routes The function that `connectNodeAdapter({ routes })` and its like take.
 * @returns The registry.
 * @throws {RpcError} Code.AlreadyExists when a service is registered already; Code.InvalidArgument when `routes` is no
 * function or registers something wrong.
 *
 * @example
 * const server = addRoutes(serve(), (router) => router.service(ElizaService, eliza));
 */
export function addRoutes<R extends ServiceRegistry>(registry: R, routes: (router: ConnectRouter) => void): R {
  if (typeof routes !== "function") {
    throw new RpcError(Code.InvalidArgument, "addRoutes() needs a function that gets a ConnectRouter");
  }
  const found = new Map<string, Registered>();
  const add = (
    service: DescService,
    handlers: Record<string, unknown>,
    methods: readonly DescMethod[],
    options: Partial<ConnectRouterOptions> = {},
  ): void => {
    const registered = found.get(service.typeName) ?? { service, handlers: {}, interceptors: [] };
    found.set(service.typeName, registered);
    for (const [name, handler] of Object.entries(handlers)) {
      if (name in registered.handlers) {
        throw new RpcError(Code.AlreadyExists, `the method ${service.typeName}.${name} is registered already`);
      }
      registered.handlers[name] = handler;
    }
    const only = new Set(methods);
    const own = [...gate(options.requestGate), ...(options.interceptors ?? []).map(fromInterceptor)];
    registered.interceptors.push(...own.map((interceptor) => forMethods(only, interceptor)));
  };
  const router: ConnectRouter = {
    handlers: [],
    service(service, implementation, options) {
      const handlers = toHandlers(service, implementation) as Record<string, unknown>;
      const methods = service.methods.filter(({ localName }) => localName in handlers);
      add(service, handlers, methods, options);
      return router as never;
    },
    rpc(method, impl, options) {
      add(method.parent, { [method.localName]: toHandler(method, impl as never) }, [method], options);
      return router as never;
    },
  };
  routes(router);
  for (const { service, handlers, interceptors } of found.values()) {
    registry.service(service, handlers as Partial<Handlers<DescService>>, { interceptors });
  }
  return registry;
}

/** An interceptor for some methods of a service. */
function forMethods(methods: ReadonlySet<DescMethod>, interceptor: Interceptor): Interceptor {
  return (next) => {
    const run = interceptor(next);
    return (call) => (methods.has(call.method) ? run(call) : next(call));
  };
}

/** Connect's request gate as an interceptor: it runs before all others, and refuses by throwing. */
function gate(requestGate: ConnectRouterOptions["requestGate"]): Interceptor[] {
  if (requestGate === undefined) return [];
  return [
    (next) => async (call) => {
      const served = call.context as HandlerContext;
      const { context, end } = connectContext(served);
      try {
        await requestGate(context);
      } catch (error) {
        throw failure(error, served);
      } finally {
        end();
      }
      return next(call);
    },
  ];
}
