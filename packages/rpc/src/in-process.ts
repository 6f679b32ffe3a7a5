// A channel straight to handlers of the same process: no frames, no sockets, every other rule of a call. For tests and
// for services that live in one process. One call of it is in in-process-call.ts.
import type { CallDefaults, CallOptions, Channel, CloseOptions } from "./channel.js";
import { Code } from "./code.js";
import { transportChannel } from "./defaults.js";
import { handlerError, InProcessCall, inProcessPeer } from "./in-process-call.js";
import {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { closedResponses } from "./response-stream.js";
import { createRouter, type Router, type ServiceRegistry } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { abandon } from "./streams.js";

const longestTimerMs = 2 ** 31 - 1;

/**
 * Makes a channel to handlers in this process. Messages are encoded and decoded, so neither side sees the other's objects;
 * up to 16 messages of a stream wait in each direction before their writer does.
 *
 * @param routes A router, or a function that registers services on one.
 * @param options Defaults and interceptors of the client's side.
 * @throws {RpcError} Code.InvalidArgument when the routes or the options are wrong.
 *
 * @example
 * const channel = createInProcessChannel((router) => router.service(MachineService, handlers));
 */
export function createInProcessChannel(
  routes: Router | ((registry: ServiceRegistry) => void),
  options: CallDefaults = {},
): Channel {
  if (typeof routes === "function") {
    const router = createRouter();
    routes(router);
    return transportChannel(new InProcessChannel(router), options);
  }
  if (typeof routes?.find === "function") return transportChannel(new InProcessChannel(routes), options);
  throw new RpcError(Code.InvalidArgument, "createInProcessChannel() takes a router, or a function that gets one");
}

class InProcessChannel implements Channel {
  readonly target: string = inProcessPeer.address;
  readonly protocol = "in-process";
  readonly #router: Router;
  readonly #calls = new Set<InProcessCall>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  async unary(method: UnaryMethod, request: object, options?: CallOptions): Promise<never> {
    return (await this.#begin(method, options).one(request)) as never;
  }

  stream(
    method: StreamingMethod,
    request: object | MessageStream<object>,
    options?: CallOptions,
  ): ResponseStream<never> {
    try {
      return this.#begin(method, options).many(request) as ResponseStream<never>;
    } catch (error) {
      if (clientStreams(method)) abandon(request);
      return closedResponses(RpcError.from(error));
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 0);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(method: UnaryMethod | StreamingMethod, options: CallOptions = {}): InProcessCall {
    const path = methodPath(method);
    if (this.#closing !== undefined) {
      const parts = { method: path, peer: this.target, reason: "connection_closed" } as const;
      throw new RpcError(Code.Unavailable, "the channel is closed", parts);
    }
    const { typeName } = method.parent;
    const route = this.#router.find(typeName, method.name);
    if (route === undefined) throw handlerError(this.#router.missing(typeName, method.name), path);
    const call = new InProcessCall(route, options);
    this.#calls.add(call);
    call.end.whenOver(() => {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#emptied?.();
    });
    return call;
  }

  async #close(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.#calls.size > 0) {
      const empty = Promise.withResolvers<void>();
      this.#emptied = empty.resolve;
      const timer = setTimeout(empty.resolve, Math.min(graceMs, longestTimerMs));
      await empty.promise;
      clearTimeout(timer);
    }
    for (const call of [...this.#calls]) call.end.fail(Code.Canceled, "the channel was closed", "canceled");
  }
}
