// One call of a client, from the moment it is made: waiting for a connection, for its turn, for the answer. It settles
// once and then owns nothing. Knows its session as an interface only.
import { Code, type FailureReason, type Metadata, RpcError } from "@guestwire/rpc";
import { type SignalHearer, unwatchSignal, watchSignal, withoutStack } from "@guestwire/rpc/transport";
import type { Deadlined, DeadlineWheel } from "./deadline-wheel.js";
import type { PreparedMethod } from "./prepared-method.js";

/** Where a call was sent; told when the call ends. */
export interface CallHome {
  /** Why a call that waits there has no connection yet, where that is known. */
  readonly dialFailure?: unknown;
  /** The call ended on this side or on the other: forget it. `abandoned` when the server does not know yet. */
  settled(call: ClientCall, abandoned: boolean): void;
}

/** What both kinds of client calls share. */
export abstract class ClientCall implements Deadlined, SignalHearer {
  readonly method: PreparedMethod;
  /** The stream id; 0 until the request is written. */
  id = 0;
  /** When the call's time is up, on the channel's clock; Infinity for never. */
  deadlineAt: number = Number.POSITIVE_INFINITY;
  /** How long that is from when the call was made, in milliseconds; `undefined` once it had to wait. */
  leftMs: number | undefined = Number.POSITIVE_INFINITY;
  metadata: Metadata | undefined = undefined;
  /** Whether a response has come. */
  begun = false;
  /** Whether its own signal ended it. */
  canceled = false;
  /** Whoever wants the response's metadata; `undefined` where nobody asked. */
  onHeader: ((header: Metadata) => void) | undefined = undefined;
  onTrailer: ((trailer: Metadata) => void) | undefined = undefined;
  wheelNext: Deadlined | undefined = undefined;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelSlot = -1;
  /** @internal The places in the queue of calls that are not sent yet. */
  waits = false;
  /** @internal */
  waitsBehind: ClientCall | undefined = undefined;
  /** @internal */
  waitsBefore: ClientCall | undefined = undefined;
  /** Whether the call has its result, its error, or was given up. */
  settled = false;
  /** The session that holds it; `undefined` while it waits. */
  home: CallHome | undefined = undefined;
  readonly target: string;
  #wheel: DeadlineWheel | undefined;
  #signal: AbortSignal | undefined;

  constructor(method: PreparedMethod, target: string) {
    this.method = method;
    this.target = target;
  }

  /** Gives the call a deadline, `ms` milliseconds from `now` on. */
  setDeadline(now: number, ms: number, wheel: DeadlineWheel): void {
    this.deadlineAt = now + ms;
    this.leftMs = ms;
    this.#wheel = wheel;
    wheel.add(this);
  }

  /** Ends the call when the signal fires. */
  setSignal(signal: AbortSignal): void {
    if (signal.aborted) return this.signalFired(signal);
    this.#signal = signal;
    watchSignal(signal, this);
  }

  /** @internal The signal's event. */
  signalFired(signal: AbortSignal): void {
    this.canceled = true;
    this.fail(Code.Canceled, abortText(signal.reason), "canceled", signal.reason);
  }

  deadlinePassed(): void {
    const late = "the deadline passed";
    const why = this.home?.dialFailure;
    if (why === undefined) return this.fail(Code.DeadlineExceeded, late, "deadline");
    const text = `${late} while connecting to ${this.target}: ${RpcError.from(why).rawMessage}`;
    this.fail(Code.DeadlineExceeded, text, "deadline", why);
  }

  /** Ends the call with an error of this side. Does nothing once it is settled. */
  fail(code: Code, message: string, reason: FailureReason | undefined, cause?: unknown): void {
    if (this.settled) return;
    this.failWith(this.error(code, message, reason, cause), true);
  }

  /** Ends the call with an error. `abandoned` when the server does not know yet. */
  failWith(error: RpcError, abandoned: boolean): void {
    if (this.settled) return;
    this.release(abandoned);
    this.reject(error);
  }

  /** Whether somebody wants the response's metadata. */
  get wantsMetadata(): boolean {
    return this.onHeader !== undefined || this.onTrailer !== undefined;
  }

  /**
   * The response's metadata came, just before its end. A listener that throws fails the call.
   *
   * @param header `undefined` where no response has begun, as for an error in its place.
   */
  tellMetadata(header: Metadata | undefined, trailer: Metadata): void {
    for (const [name, listener, metadata] of [
      ["onHeader", this.onHeader, header],
      ["onTrailer", this.onTrailer, trailer],
    ] as const) {
      if (metadata === undefined) continue;
      try {
        if (!this.settled) listener?.(metadata);
      } catch (error) {
        const { code, rawMessage } = RpcError.from(error);
        this.failWith(this.error(code, `${name} failed: ${rawMessage}`, undefined, error), false);
      }
    }
  }

  /** Makes an error that names this call. */
  error(code: Code, message: string, reason: FailureReason | undefined, cause?: unknown): RpcError {
    return withoutStack(
      () =>
        new RpcError(code, message, {
          method: this.method.path,
          peer: this.target,
          ...(reason !== undefined && { reason }),
          ...(cause !== undefined && { cause }),
        }),
    );
  }

  /** Hands the error to who waits. */
  protected abstract reject(error: RpcError): void;

  /** Lets go of everything that the call holds. */
  protected release(abandoned: boolean): void {
    this.settled = true;
    if (this.#wheel !== undefined) this.#wheel.remove(this);
    if (this.#signal !== undefined) unwatchSignal(this.#signal, this);
    const { home } = this;
    if (home === undefined) return;
    this.home = undefined;
    home.settled(this, abandoned);
  }
}

function abortText(reason: unknown): string {
  const text = reason instanceof Error ? reason.message : typeof reason === "string" ? reason : "";
  return text === "" ? "the call was canceled" : `the call was canceled: ${text}`;
}

/** A call with one request and one response. */
export class UnaryClientCall extends ClientCall {
  readonly request: object;
  readonly #resolve: (message: object) => void;
  readonly #reject: (error: RpcError) => void;

  constructor(
    method: PreparedMethod,
    target: string,
    request: object,
    resolve: (message: object) => void,
    reject: (error: RpcError) => void,
  ) {
    super(method, target);
    this.request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Ends the call with its response. */
  succeed(message: object): void {
    if (this.settled) return;
    this.release(false);
    this.#resolve(message);
  }

  protected reject(error: RpcError): void {
    this.#reject(error);
  }
}
