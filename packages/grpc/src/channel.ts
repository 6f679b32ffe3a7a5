// connect(): a channel of ours on a channel of grpc-js. Calls wait here until there is a connection, so that waiting has a
// limit; from then on they are grpc-js'. Encoding and the course of a call are the call's.
import { connectivityState, Channel as GrpcChannel, Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { type CallOptions, type Channel, type CloseOptions, Code, type MessageStream, RpcError } from "@guestwire/rpc";
import {
  type ResponseStream,
  type StreamingMethod,
  transportChannel,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import { type AddressList, listTarget } from "./address-list.js";
import { type ConnectOptions, checkConnectOptions, grpcOptions, milliseconds } from "./channel-options.js";
import type { CallHome, ClientCall } from "./client-call.js";
import { clientCredentials, type Sockets } from "./client-credentials.js";
import { connectText } from "./client-errors.js";
import { type ConnectFailure, ConnectFailures } from "./connect-failures.js";
import { openDialled } from "./dialled.js";
import { type Limits, resolveLimits } from "./limits.js";
import { type PreparedMethod, prepareMethod } from "./prepared-method.js";
import { protocol } from "./protocol.js";
import { Attempts, routed } from "./resolver.js";
import { type Retries, resolveRetries } from "./retries.js";
import { StreamCall } from "./stream-call.js";
import { parseTarget, type Target } from "./target.js";
import { longestTimerMs } from "./times.js";
import { UnaryCall } from "./unary-call.js";

/** How long the connections of a closed channel may take to say goodbye, in milliseconds. */
const lingerMs = 1000;

/**
 * Opens a channel to one or several gRPC servers. Returns at once: a connection is made when the first call needs it, and
 * made anew when it was lost.
 *
 * @param address An address (`unix:///path`, `unix:@name`, `tcp://host:port`, `vsock://cid:port`, `hvsock:///path:port`,
 * `fd://number`), several of them, or a name that gRPC resolves (`dns:///host:port`, `ipv4:address:port`,
 * `ipv6:[address]:port`, `xds:///name`); or a list that may change, see {@link createAddressList}. Those of vsock need the
 * package `@guestwire/vsock`.
 * @param options See {@link ConnectOptions}.
 * @throws {RpcError} Code.InvalidArgument when the address, an option or a limit is wrong.
 *
 * @example
 * await using channel = connect("unix:///run/agent.sock", { timeoutMs: 5_000 });
 * const machines = createClient(MachineService, channel);
 */
export function connect(address: string | readonly string[] | AddressList, options: ConnectOptions = {}): Channel {
  checkConnectOptions(options);
  return transportChannel(new ClientChannel(targetOf(address), options), options);
}

function targetOf(address: string | readonly string[] | AddressList): Target {
  const isList = typeof address === "object" && address !== null && "update" in address;
  return isList ? listTarget(address) : parseTarget(address);
}

class ClientChannel implements Channel, CallHome {
  readonly limits: Limits;
  readonly noMetadata: GrpcMetadata;
  readonly waitForReady: boolean;
  readonly compresses: boolean;
  readonly protocol: string = protocol;
  readonly secure: boolean;
  readonly #target: Target;
  readonly #connectTimeoutMs: number;
  readonly #retries: Retries | undefined;
  readonly #grpc: GrpcChannel;
  readonly #sockets: Sockets;
  readonly #attempts = new Attempts();
  readonly #calls = new Set<ClientCall>();
  // Those of them that have no connection yet, in order.
  readonly #waiting = new Set<ClientCall>();
  #watching = false;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(target: Target, options: ConnectOptions) {
    this.#target = target;
    this.limits = resolveLimits(options.limits);
    this.waitForReady = options.waitForReady ?? false;
    const { compression = "none", channelOptions = {} } = options;
    this.compresses = compression !== "none" || "grpc.default_compression_algorithm" in channelOptions;
    this.noMetadata = new GrpcMetadata({ waitForReady: this.waitForReady });
    this.#connectTimeoutMs = Math.min(
      milliseconds("connectTimeoutMs", options.connectTimeoutMs ?? 5000),
      longestTimerMs,
    );
    this.#retries = resolveRetries(options.retries ?? false);
    this.#sockets = {
      connectTimeoutMs: this.#connectTimeoutMs,
      open: new Set(),
      dialled: new WeakMap(),
      failures: new ConnectFailures(target, () => this.#endHopeless()),
      emptied: undefined,
      target,
    };
    const selector = this.#retries?.selector;
    const route = routed({ target, attempts: this.#attempts, selector });
    const credentials = options.credentials ?? clientCredentials(options.tls, this.#sockets);
    this.secure = credentials._isSecure();
    try {
      this.#grpc = new GrpcChannel(route.target, credentials, {
        // An address is where to connect to; a name may lead through a proxy, as gRPC has it.
        ...(target.endpoints !== undefined && { "grpc.enable_http_proxy": 0 }),
        ...grpcOptions(options, this.limits, this.#retries?.attempts ?? 0, target),
        ...route.options,
      });
    } catch (error) {
      // The service config, or a name whose resolver is not registered.
      throw new RpcError(Code.InvalidArgument, `cannot connect to ${this.target}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (target.endpoints !== undefined) openDialled(this.#grpc, this.#sockets);
  }

  get target(): string {
    return this.#target.name;
  }

  /** @internal */
  get connectFailure(): ConnectFailure | undefined {
    return this.#sockets.failures.last;
  }

  unary(method: UnaryMethod, request: object, options?: CallOptions): Promise<never> {
    return new Promise<object>((resolve, reject) => {
      this.#begin(new UnaryCall(this.#prepared(method), this, request, resolve, reject), options);
    }) as Promise<never>;
  }

  stream(
    method: StreamingMethod,
    request: object | MessageStream<object>,
    options?: CallOptions,
  ): ResponseStream<never> {
    const call = new StreamCall(this.#prepared(method), this, request);
    this.#begin(call, options);
    return call.responses as unknown as ResponseStream<never>;
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 0);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal A call is over. */
  settled(call: ClientCall): void {
    this.#calls.delete(call);
    if (this.#waiting.delete(call) && this.#waiting.size === 0) this.#stopTimer();
    if (this.#calls.size === 0) this.#emptied?.();
  }

  /** @internal A call's connection broke: makes it anew if it has an attempt left. */
  repeat(call: ClientCall): boolean {
    if (this.#retries === undefined || call.made >= this.#retries.attempts || !call.method.idempotent) return false;
    // Inside of grpc-js' end of the call: what is started now would find it half done.
    process.nextTick(() => this.#connected(call));
    return true;
  }

  #prepared(method: UnaryMethod | StreamingMethod): PreparedMethod {
    const prepared = prepareMethod(method);
    if (this.#retries !== undefined && prepared.idempotent) this.#retries.paths.add(prepared.path);
    return prepared;
  }

  /** Whatever is wrong with a call or its options is the end of the call, which then holds nothing. */
  #begin(call: ClientCall, options: CallOptions | undefined): void {
    try {
      this.#calls.add(call);
      if (options !== undefined) call.configure(options);
      if (call.settled) return;
      if (this.#closing !== undefined) return call.fail(Code.Unavailable, "the channel is closed", "connection_closed");
      call.prepare();
      this.#connected(call);
    } catch (error) {
      call.failWith(RpcError.from(error), true);
    }
  }

  /** Starts a call, now or when there is a connection. */
  #connected(call: ClientCall): void {
    if (this.#waiting.size === 0 && this.#grpc.getConnectivityState(false) === connectivityState.READY) {
      this.#start(call);
    } else if (!call.settled) this.#wait(call);
  }

  #start(call: ClientCall): void {
    const retries = this.#retries;
    try {
      // Read as the call is started.
      if (retries !== undefined && call.made > 0) retries.left = retries.attempts - call.made;
      if (!call.settled) call.start(this.#grpc);
    } catch (error) {
      call.failWith(RpcError.from(error), true);
    } finally {
      if (retries !== undefined) retries.left = undefined;
    }
  }

  #wait(call: ClientCall): void {
    if (this.#waiting.size >= this.limits.waitingCalls) {
      return call.fail(Code.ResourceExhausted, `${this.#waiting.size} calls are waiting already`, "overflow");
    }
    this.#waiting.add(call);
    call.wait();
    // Also keeps the process alive, which grpc-js' own timers and idle connections do not.
    this.#timer ??= setInterval(() => this.#waitedTooLong(), this.#connectTimeoutMs);
    if (!this.#watching) this.#advance();
  }

  /** Starts the waiting calls, or watches for when they can be. */
  #advance(): void {
    while (this.#waiting.size > 0) {
      this.#grpc.getConnectivityState(true);
      // Asked for anew: the first answer is the state from before the attempt that it began.
      const state = this.#grpc.getConnectivityState(false);
      const failing = state === connectivityState.TRANSIENT_FAILURE;
      if (failing && this.#endHopeless()) return;
      // A call that is started while connecting fails gets the reason from grpc-js, or is repeated by it.
      if (state === connectivityState.READY || (failing && !this.waitForReady)) this.#startWaiting();
      else {
        this.#watching = true;
        this.#grpc.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
          this.#watching = false;
          // Inside of grpc-js' own change of state: what is started now would find it half done.
          if (this.#waiting.size > 0) process.nextTick(() => this.#watching || this.#advance());
        });
        return;
      }
    }
  }

  /** Ends the waiting calls where no waiting helps, and tells whether that is so. */
  #endHopeless(): boolean {
    const failure = this.#sockets.failures.permanent;
    if (failure === undefined) return false;
    const text = `cannot connect to ${connectText(this.target, failure.text)}`;
    for (const call of [...this.#waiting]) call.fail(failure.code, text, "connect_failed", failure.cause);
    return true;
  }

  #startWaiting(): void {
    const calls = [...this.#waiting];
    this.#waiting.clear();
    this.#stopTimer();
    for (const call of calls) this.#start(call);
  }

  #waitedTooLong(): void {
    if (this.waitForReady) return;
    const text = `cannot connect to ${this.target}: no connection within ${this.#connectTimeoutMs} ms`;
    for (const call of [...this.#waiting]) call.fail(Code.Unavailable, text, "connect_failed");
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #close(graceMs: number): Promise<void> {
    if (graceMs > 0 && this.#calls.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#emptied = resolve;
      const timer = setTimeout(resolve, Math.min(graceMs, longestTimerMs));
      await promise;
      clearTimeout(timer);
    }
    for (const call of [...this.#calls]) call.fail(Code.Canceled, "the channel was closed", "canceled");
    this.#grpc.close();
    await this.#goodbye();
    // What is left is still being connected, or has a peer that does not listen.
    this.#attempts.abort();
    for (const socket of [...this.#sockets.open]) socket.destroy();
  }

  #goodbye(): Promise<void> | undefined {
    if (this.#sockets.open.size === 0) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      this.#sockets.emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
