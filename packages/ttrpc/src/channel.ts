// connect(): a channel that dials when it is first needed, shares one connection among all calls, and dials again when
// the connection was lost. Frames and streams are the session's.
import { type CallOptions, type Channel, type CloseOptions, Code, RpcError, toMetadata } from "@guestwire/rpc";
import {
  type ConnectionEvent,
  checkSignal,
  checkTimeout,
  clientConnections,
  connectionBegins,
  connectionEnds,
  connectionFails,
  isPermanentDialError,
  type MessageStream,
  pause,
  type ResponseStream,
  type StreamingMethod,
  transportChannel,
  type UnaryMethod,
  within,
} from "@guestwire/rpc/transport";
import { type CallHome, type ClientCall, UnaryClientCall } from "./client-call.js";
import { ClientSession, type ClientSessionHandler, type ClientSessionOptions } from "./client-session.js";
import { StreamClientCall } from "./client-stream-call.js";
import { type ConnectOptions, checkConnectOptions, positive } from "./connect-options.js";
import { type DeadlineWheel, wheelOf } from "./deadline-wheel.js";
import { type ConnectTarget, type Dialer, dialerFor } from "./dial.js";
import { checkKeepalive } from "./keepalive.js";
import { type Limits, resolveLimits } from "./limits.js";
import type { Clock } from "./link.js";
import { prepareMethod } from "./prepared-method.js";
import { protocol } from "./protocol.js";
import { systemClock } from "./system-clock.js";
import { WaitingCalls } from "./waiting-calls.js";

/**
 * Opens a channel to a ttrpc server. Returns at once: the connection is made when the first call needs it, and made anew
 * when it was lost. A call that was sent is never sent twice.
 *
 * @param target An address (`unix:///path`, `unix:@name`, `tcp://host:port`, `fd://3`; with @guestwire/vsock installed
 * `vsock://cid:port` and `hvsock:///path:port` too), an open Duplex, or a function that opens one.
 * @param options See {@link ConnectOptions}.
 * @throws {RpcError} Code.InvalidArgument when the address, an option or a limit is wrong.
 *
 * @example
 * await using channel = connect("unix:///run/agent.sock", { timeoutMs: 5_000 });
 * const machines = createClient(MachineService, channel);
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Channel {
  return openChannel(dialerFor(target), options, systemClock);
}

/**
 * As {@link connect}, with every part of the outside world given. For tests and for servers in the same process.
 *
 * @param firstId The stream id that each connection begins with, so that a test need not make 2^31 calls.
 * @param random Numbers from 0 to 1, for what the pauses between attempts are shortened by.
 */
export function openChannel(
  dialer: Dialer,
  options: ConnectOptions,
  clock: Clock,
  firstId = 1,
  random: () => number = Math.random,
): Channel {
  return transportChannel(new TtrpcChannel(dialer, options, clock, firstId, random), options);
}

class TtrpcChannel implements Channel, CallHome {
  readonly target: string;
  readonly protocol: string = protocol;
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #wheel: DeadlineWheel;
  readonly #connectTimeoutMs: number;
  readonly #waitForReady: boolean;
  readonly #random: () => number;
  readonly #sessionOptions: ClientSessionOptions;
  readonly #initialMs: number;
  readonly #maxMs: number;
  // Calls that are not sent yet, in order. A call leaves by being sent or by ending.
  readonly #waiting = new WaitingCalls();
  // Sessions whose ids are used up and whose last calls still run.
  #retired: Set<ClientSession> | undefined;
  #session: ClientSession | undefined;
  #dialing: AbortController | undefined;
  #failures = 0;
  #dialAt = 0;
  // Why the last attempt failed; undefined once there was a connection.
  #dialFailure: unknown;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(dialer: Dialer, options: ConnectOptions, clock: Clock, firstId: number, random: () => number) {
    checkConnectOptions(options);
    this.target = dialer.target;
    this.#dialer = dialer;
    this.#clock = clock;
    this.#random = random;
    const { control = true } = options;
    this.#sessionOptions = { firstId, control, keepalive: checkKeepalive(options.keepalive) };
    this.#limits = resolveLimits(options.limits);
    this.#wheel = wheelOf(clock);
    this.#connectTimeoutMs = positive("connectTimeoutMs", options.connectTimeoutMs ?? 5000);
    this.#waitForReady = options.waitForReady ?? false;
    this.#initialMs = positive("backoff.initialMs", options.backoff?.initialMs ?? 20);
    this.#maxMs = positive("backoff.maxMs", options.backoff?.maxMs ?? 1000);
  }

  unary(method: UnaryMethod, request: object, options?: CallOptions): Promise<never> {
    return new Promise<object>((resolve, reject) => {
      const call = new UnaryClientCall(prepareMethod(method), this.target, request, resolve, reject);
      this.#begin(call, options);
    }) as Promise<never>;
  }

  stream(
    method: StreamingMethod,
    request: object | MessageStream<object>,
    options?: CallOptions,
  ): ResponseStream<never> {
    const call = new StreamClientCall(prepareMethod(method), this.target, request);
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

  /** @internal Why the calls that wait have no connection, where an attempt has failed. */
  get dialFailure(): unknown {
    return this.#dialFailure;
  }

  /** @internal A waiting call ended before it was sent. */
  settled(call: ClientCall): void {
    this.#waiting.delete(call);
    this.#checkIdle();
  }

  /** Whatever is wrong with a call's options is the end of the call, which then holds nothing. */
  #begin(call: ClientCall, options: CallOptions | undefined): void {
    try {
      if (options !== undefined) this.#configure(call, options);
      this.#submit(call);
    } catch (error) {
      call.failWith(RpcError.from(error), false);
    }
  }

  #configure(call: ClientCall, { timeoutMs, metadata, signal, onHeader, onTrailer }: CallOptions): void {
    checkTimeout(timeoutMs);
    checkSignal(signal);
    if (metadata !== undefined) call.metadata = toMetadata(metadata);
    if (onHeader !== undefined) call.onHeader = onHeader;
    if (onTrailer !== undefined) call.onTrailer = onTrailer;
    if (timeoutMs !== undefined && timeoutMs !== 0 && timeoutMs !== Number.POSITIVE_INFINITY) {
      call.setDeadline(this.#clock.now(), timeoutMs, this.#wheel);
    }
    if (signal !== undefined) call.setSignal(signal);
  }

  #submit(call: ClientCall): void {
    if (call.settled) return;
    if (this.#closing !== undefined) return call.fail(Code.Unavailable, "the channel is closed", "connection_closed");
    const session = this.#session;
    if (session?.canSend && !session.exhausted && this.#waiting.size === 0) return session.send(call);
    if (this.#waiting.size >= this.#limits.waitingCalls) {
      return call.fail(Code.ResourceExhausted, `${this.#waiting.size} calls are waiting already`, "overflow");
    }
    call.home = this;
    call.leftMs = undefined;
    this.#waiting.add(call);
    this.#advance();
  }

  /** Sends waiting calls as far as the connection takes them; makes a connection where there is none. */
  #advance(): void {
    for (let call = this.#waiting.first; call !== undefined; call = this.#waiting.first) {
      const session = this.#session;
      if (session === undefined) return void this.#dial();
      if (session.exhausted) {
        this.#retire(session);
        continue;
      }
      if (!session.canSend) return;
      this.#waiting.delete(call);
      call.home = undefined;
      session.send(call);
    }
    this.#checkIdle();
  }

  #retire(session: ClientSession): void {
    this.#session = undefined;
    this.#retired ??= new Set();
    const retired = this.#retired;
    retired.add(session);
    void session.gone.then(() => {
      retired.delete(session);
      this.#checkIdle();
    });
    session.drain();
  }

  async #dial(): Promise<void> {
    if (this.#dialing !== undefined) return;
    const control = new AbortController();
    this.#dialing = control;
    try {
      while (this.#waiting.size > 0 && !control.signal.aborted && this.#session === undefined) {
        const pauseMs = this.#dialAt - this.#clock.now();
        if (pauseMs > 0) await pause(pauseMs, this.#clock, control.signal);
        if (this.#waiting.size > 0 && !control.signal.aborted) await this.#attempt(control);
      }
    } finally {
      this.#dialing = undefined;
    }
    // A call may have come between the last look and now.
    if (!control.signal.aborted) this.#advance();
  }

  async #attempt(control: AbortController): Promise<void> {
    const { signal } = control;
    const startedAt = performance.now();
    let event: ConnectionEvent | undefined;
    try {
      const link = await within((stop) => this.#dialer.dial(stop), {
        clock: this.#clock,
        ms: this.#connectTimeoutMs,
        signal,
        late: "no connection",
        dispose: (late) => late.destroy(),
      });
      const opened = connectionBegins(clientConnections, protocol, link.peer);
      event = opened;
      let lost: Error | undefined;
      let started = false;
      const handler: ClientSessionHandler = {
        ready: () => this.#advance(),
        closed: (error) => {
          lost = error;
          connectionEnds(clientConnections, opened, error?.message ?? "closed by this side", error);
          // A server that accepts and closes is as good as none; one that has sent something was there.
          if (session.heard) this.#failures = 0;
          else if (error !== undefined && started) this.#backOff();
          if (this.#session === session) this.#session = undefined;
          this.#advance();
        },
      };
      const session = new ClientSession(link, this.#clock, this.#wheel, this.#limits, handler, this.#sessionOptions);
      this.#session = session;
      session.start();
      // A stream that was over when it was given: without a pause before the next one the loop would never rest.
      if (lost !== undefined) throw lost;
      started = true;
      this.#dialFailure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      if (event === undefined) connectionFails(clientConnections, protocol, this, startedAt, error);
      this.#failed(error);
    }
  }

  /** Makes the next attempt wait. */
  #backOff(): void {
    const pause = Math.min(this.#initialMs * 2 ** this.#failures++, this.#maxMs);
    this.#dialAt = this.#clock.now() + pause * (1 - this.#random() / 5);
  }

  #failed(error: unknown): void {
    this.#backOff();
    this.#dialFailure = error;
    // What a function of the user's gave up in time (`dialWithRetry`) may be tried again as any attempt.
    const final = isPermanentDialError(error) || (error instanceof RpcError && error.reason !== "deadline");
    if (this.#waitForReady && !final) return;
    const text = error instanceof RpcError ? error.rawMessage : String((error as Error)?.message ?? error);
    const code = error instanceof RpcError ? error.code : Code.Unavailable;
    for (const call of this.#waiting.all()) {
      call.fail(code, `cannot connect to ${this.target}: ${text}`, "connect_failed", error);
    }
  }

  async #close(graceMs: number): Promise<void> {
    const busy = (): boolean =>
      this.#waiting.size > 0 || (this.#session?.calls ?? 0) > 0 || (this.#retired?.size ?? 0) > 0;
    if (graceMs > 0 && busy()) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.after(graceMs, resolve);
        this.#idle = () => {
          if (busy()) return;
          timer.cancel();
          resolve();
        };
      });
      this.#idle = undefined;
    }
    this.#dialing?.abort(new Error("the channel was closed"));
    for (const call of this.#waiting.all()) call.fail(Code.Canceled, "the channel was closed", "canceled");
    const sessions = [...(this.#retired ?? []), ...(this.#session === undefined ? [] : [this.#session])];
    for (const session of sessions) session.close(Code.Canceled, "the channel was closed");
    await Promise.all(sessions.map((session) => session.gone));
    this.#wheel.settle();
  }

  #checkIdle(): void {
    this.#idle?.();
  }
}
