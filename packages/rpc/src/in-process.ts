// A channel straight to handlers of the same process: no frames, no sockets, every other rule of a call. For tests and
// for services that live in one process. Messages are encoded and decoded, so that neither side sees the other's objects.
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { CallDefaults, CallOptions, Channel, CloseOptions } from "./channel.js";
import { Code } from "./code.js";
import { codecFor } from "./codec/codec.js";
import { checkTimeout, withDefaults } from "./defaults.js";
import type { Peer } from "./handler-context.js";
import { Metadata } from "./metadata.js";
import {
  clientStreams,
  type MessageStream,
  methodPath,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { createRouter, type MethodRoute, type Response, type Router, type ServiceRegistry } from "./router.js";
import { type FailureReason, RpcError } from "./rpc-error.js";
import { ServerCall } from "./server-call.js";

const peer: Peer = { kind: "in-process", address: "in-process:" };

/**
 * Makes a channel to handlers in this process.
 *
 * @param routes A router, or a function that registers services on one.
 * @param options Defaults and interceptors of the client's side.
 *
 * @example
 * const channel = createInProcessChannel((router) => router.service(MachineService, handlers));
 */
export function createInProcessChannel(
  routes: Router | ((registry: ServiceRegistry) => void),
  options: CallDefaults = {},
): Channel {
  if (typeof routes !== "function") return withDefaults(new InProcessChannel(routes), options);
  const router = createRouter();
  routes(router);
  return withDefaults(new InProcessChannel(router), options);
}

class InProcessChannel implements Channel {
  readonly target: string = peer.address;
  readonly #router: Router;
  readonly #calls = new Set<InProcessCall>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  async unary(method: UnaryMethod, request: object, options?: CallOptions): Promise<never> {
    const call = this.#begin(method, options);
    return call.run(async () => {
      const response = await call.route.single(copy(method.input, request), call);
      return copy(method.output, response);
    }) as Promise<never>;
  }

  stream(
    method: StreamingMethod,
    request: object | MessageStream<object>,
    options?: CallOptions,
  ): ResponseStream<never> {
    let call: InProcessCall;
    try {
      call = this.#begin(method, options);
    } catch (error) {
      return failed(RpcError.from(error)) as ResponseStream<never>;
    }
    const requests = clientStreams(method)
      ? copies(method.input, request as MessageStream<object>, call)
      : copy(method.input, request);
    const responses = call.route.serverStreams
      ? () => call.route.many(requests, call)
      : () => one(call.route.single(requests, call));
    return call.responses(responses, (message) => copy(method.output, message)) as ResponseStream<never>;
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
      throw new RpcError(Code.Unavailable, "the channel is closed", { method: path, reason: "connection_closed" });
    }
    const route = this.#router.find(method.parent.typeName, method.name);
    if (route === undefined) throw received(this.#router.missing(method.parent.typeName, method.name), path);
    const call = new InProcessCall(route, options, () => {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#emptied?.();
    });
    this.#calls.add(call);
    return call;
  }

  async #close(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.#calls.size > 0) {
      const empty = Promise.withResolvers<void>();
      this.#emptied = empty.resolve;
      const timer = setTimeout(empty.resolve, Math.min(graceMs, 2 ** 31 - 1));
      await empty.promise;
      clearTimeout(timer);
    }
    for (const call of [...this.#calls]) call.fail(Code.Canceled, "the channel was closed", "canceled");
  }
}

/** One call: the handler's context on one side, the caller's deadline and signal on the other. */
class InProcessCall extends ServerCall {
  readonly route: MethodRoute;
  readonly #metadata: Metadata;
  readonly #ended = Promise.withResolvers<never>();
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #done: () => void;
  #settled = false;

  constructor(route: MethodRoute, { timeoutMs, signal, metadata }: CallOptions, done: () => void) {
    checkTimeout(timeoutMs);
    const limit = timeoutMs || Number.POSITIVE_INFINITY;
    super(route.method, route.path, peer, performance.now() + limit);
    this.route = route;
    this.#metadata = new Metadata(metadata);
    this.#done = done;
    this.#ended.promise.catch(() => {});
    if (limit !== Number.POSITIVE_INFINITY) {
      const expire = (): void => this.fail(Code.DeadlineExceeded, "the deadline passed", "deadline");
      this.#timer = setTimeout(expire, Math.min(Math.ceil(limit), 2 ** 31 - 1));
    }
    this.#signal = signal;
    if (signal?.aborted) this.handleEvent();
    else signal?.addEventListener("abort", this);
  }

  /** @internal The caller's signal fired. */
  handleEvent(): void {
    this.fail(Code.Canceled, "the call was canceled", "canceled", this.#signal?.reason);
  }

  /** Ends the call on the caller's side and tells the handler. */
  fail(code: Code, message: string, reason: FailureReason, cause?: unknown): void {
    if (this.#settled) return;
    const error = new RpcError(code, message, {
      method: this.path,
      peer: peer.address,
      reason,
      ...(cause !== undefined && { cause }),
    });
    this.settle();
    this.#ended.reject(error);
    this.abort(error);
  }

  /** Lets go of what the call holds. */
  settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this);
    this.#done();
  }

  /** Runs a step of the call; the call's own end comes first. */
  async run<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await this.race(step);
    } finally {
      this.settle();
    }
  }

  /** Waits for a step or for the end of the call. */
  async race<T>(step: () => T | Promise<T>): Promise<T> {
    if (this.#settled) return this.#ended.promise;
    try {
      const result = step();
      return result instanceof Promise ? await Promise.race([this.#ended.promise, result]) : result;
    } catch (error) {
      throw error instanceof RpcError && error.reason !== undefined ? error : received(RpcError.from(error), this.path);
    }
  }

  /** The responses as the caller reads them: each read asks the handler for one more. */
  responses(open: () => MessageStream<Response>, take: (message: Response) => Message): ResponseStream<Message> {
    let source: AsyncIterator<Response> | Iterator<Response> | undefined;
    let over = false;
    const leave = (): void => {
      over = true;
      this.settle();
      try {
        Promise.resolve(source?.return?.()).catch(() => {});
      } catch {
        // The call is over; nobody is left to tell.
      }
    };
    return responseStream(
      async () => {
        if (over) return undefined;
        try {
          const result = await this.race(async () => {
            if (source === undefined) {
              const stream = open();
              source = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]();
            }
            return source.next();
          });
          if (!result.done) return take(result.value);
          over = true;
          this.settle();
          return undefined;
        } catch (error) {
          leave();
          throw error;
        }
      },
      () => {
        if (over) return;
        this.fail(Code.Canceled, "the caller stopped reading", "canceled");
        leave();
      },
    );
  }

  protected now(): number {
    return performance.now();
  }

  protected readMetadata(): Metadata {
    return this.#metadata;
  }
}

function responseStream<T>(read: () => Promise<T | undefined>, leave: () => void): ResponseStream<T> {
  const finished: IteratorReturnResult<undefined> = { done: true, value: undefined };
  const stream: ResponseStream<T> = {
    async next() {
      const value = await read();
      return value === undefined ? finished : { done: false, value };
    },
    async return() {
      leave();
      return finished;
    },
    async throw(error: unknown) {
      leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return stream;
    },
    async [Symbol.asyncDispose]() {
      leave();
    },
  };
  return stream;
}

function failed(error: RpcError): ResponseStream<Message> {
  let thrown = false;
  return responseStream<Message>(
    async () => {
      if (thrown) return undefined;
      thrown = true;
      throw error;
    },
    () => {
      thrown = true;
    },
  );
}

/** An error as the client of a real wire would get it: code, text and details, nothing else of the handler's object. */
function received(error: RpcError, method: string): RpcError {
  return new RpcError(error.code, error.rawMessage, { details: error.details, method, peer: peer.address });
}

function copy(schema: DescMessage, message: object): Message {
  const codec = codecFor(schema);
  const bytes = codec.toBytes(message as never);
  return codec.decode(bytes, 0, bytes.length);
}

async function* copies(
  schema: DescMessage,
  messages: MessageStream<object>,
  call: InProcessCall,
): AsyncIterable<Message> {
  const source = Symbol.asyncIterator in messages ? messages[Symbol.asyncIterator]() : messages[Symbol.iterator]();
  try {
    for (;;) {
      const result = await call.race(async () => source.next());
      if (result.done) return;
      yield copy(schema, result.value);
    }
  } finally {
    try {
      Promise.resolve(source.return?.()).catch(() => {});
    } catch {
      // Nobody is left to tell.
    }
  }
}

async function* one(message: Response | Promise<Response>): AsyncIterable<Response> {
  yield await message;
}
