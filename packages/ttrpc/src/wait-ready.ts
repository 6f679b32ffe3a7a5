// Waits until a ttrpc server answers, and watches whether it still does. Makes connections of its own and no calls.
import { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import {
  type Clock,
  checkDialPolicy,
  checkKnown,
  type DialPolicy,
  type DialRetryOptions,
  type DialTurn,
  kataDial,
  optionNames,
  retryDial,
  within,
} from "@guestwire/rpc/transport";
import { type ConnectTarget, type Dialer, dialerFor } from "./dial.js";
import { ask } from "./probe.js";

/** How readiness is asked for: when to dial, and what an open connection must show. */
export interface ReadyTimings extends DialPolicy {
  /** How many connections in a row must be answered. 0: a connection that opens is enough. */
  readonly probes: number;
  /** How long an answer may take, in milliseconds. */
  readonly answerMs: number;
  /** How much longer it may take after every connection that was not answered, in milliseconds. */
  readonly answerStepMs: number;
}

/**
 * spinbox, waiting for a guest that boots: attempts 5 to 20 ms apart, an answer within 50 ms and 10 ms more after each
 * that failed, two in a row, 10 s in all. The bound of one dial is ours: 100 ms, doubling to 2 s while dials hang, as a
 * hybrid vsock may never answer a handshake that comes while the guest begins to listen.
 */
export const spinboxReady: ReadyTimings = {
  timeoutMs: 10_000,
  attempt: { initialMs: 100, maxMs: 2000 },
  pause: { initialMs: 5, maxMs: 20 },
  probes: 2,
  answerMs: 50,
  answerStepMs: 10,
};

/** kata, which asks nothing: the first connection that opens is good. Windows of 25 ms to 10 s, 30 s in all. */
export const kataReady: ReadyTimings = { ...kataDial, probes: 0, answerMs: 200, answerStepMs: 0 };

/** What is asked: an address, or a function that opens a new connection each time. */
export type ReadyTarget = Exclude<ConnectTarget, Duplex>;

/** How {@link waitReady} waits. */
export interface WaitReadyOptions extends DialRetryOptions {
  /** How many connections in a row must be answered; 0: one that opens is enough. Default that of the timings. */
  readonly probes?: number;
  /** When to try and how long to wait. Default {@link spinboxReady}. */
  readonly timings?: ReadyTimings;
}

const knownOfWaiting = optionNames<WaitReadyOptions>({
  probes: true,
  timings: true,
  timeoutMs: true,
  signal: true,
  isTransient: true,
  onAttempt: true,
  clock: true,
  random: true,
});

/** How long it took. */
export interface Ready {
  /** From the call to the last answer, in milliseconds. */
  readonly elapsedMs: number;
  /** How many connections were tried. */
  readonly attempts: number;
}

/**
 * Waits until a ttrpc server answers: connects, sends ten zero bytes and reads the error that ttrpc servers
 * (Go's since 1.2) answer with, twice in a row, each on a connection of its own. A server that is not there, does not answer or hangs
 * up is asked again; one that answers something else is another kind of server, which no waiting will change.
 *
 * @param target What is asked. Not an open stream or `fd://`, which are one connection and no second one.
 * @param options See {@link WaitReadyOptions}. `timeoutMs` is 10,000 by default.
 * @throws {RpcError} Code.DeadlineExceeded when the time is up, naming the last failure; Code.Canceled when the signal
 * fires; Code.Internal, reason `protocol`, when something else than a ttrpc server answers; Code.InvalidArgument when
 * the target or an option is wrong; the code of other failures that do not pass, as Code.PermissionDenied.
 *
 * @example
 * const { elapsedMs } = await waitReady("vsock://3:1025", { signal });
 */
export async function waitReady(target: ReadyTarget, options: WaitReadyOptions = {}): Promise<Ready> {
  checkKnown("waitReady()", options, knownOfWaiting);
  const { timings = spinboxReady } = options;
  checkDialPolicy(timings, "timings");
  const { probes = timings.probes } = options;
  if (!(Number.isSafeInteger(probes) && probes >= 0)) {
    const name = options.probes === undefined ? "timings.probes" : "probes";
    throw new RpcError(Code.InvalidArgument, `${name} must be a whole number from 0 on, not ${probes}`);
  }
  const dialer = dialerOf(target);
  return askUntil(`${dialer.target} is not ready`, dialer, { ...timings, probes }, options);
}

/** How {@link probe} asks. */
export interface ProbeOptions {
  /** How long the connection may take, in milliseconds. Default 2,000, as spinbox has it. */
  readonly connectTimeoutMs?: number;
  /** How long the answer may take, in milliseconds. Default 200, as spinbox has it. */
  readonly answerTimeoutMs?: number;
  /** Ends it at once. Default none. */
  readonly signal?: AbortSignal;
  /** The time. Default Node's own. */
  readonly clock?: Clock;
}

const knownOfProbing = optionNames<ProbeOptions>({
  connectTimeoutMs: true,
  answerTimeoutMs: true,
  signal: true,
  clock: true,
});

/**
 * Asks once, on a connection of its own, whether a ttrpc server answers.
 *
 * @throws {RpcError} Code.Unavailable when it does not; the rest as {@link waitReady}.
 */
export async function probe(target: ReadyTarget, options: ProbeOptions = {}): Promise<Ready> {
  checkKnown("probe()", options, knownOfProbing);
  const { connectTimeoutMs = 2000, answerTimeoutMs = 200, signal, clock } = options;
  positive("connectTimeoutMs", connectTimeoutMs);
  positive("answerTimeoutMs", answerTimeoutMs);
  const dialer = dialerOf(target);
  const once = { initialMs: connectTimeoutMs, maxMs: connectTimeoutMs };
  const timings = { timeoutMs: 0, attempt: once, pause: once, probes: 1, answerMs: answerTimeoutMs, answerStepMs: 0 };
  return askUntil(`${dialer.target} does not answer`, dialer, timings, {
    isTransient: () => false,
    ...(signal && { signal }),
    ...(clock && { clock }),
  });
}

function askUntil(failed: string, dialer: Dialer, timings: ReadyTimings, options: DialRetryOptions): Promise<Ready> {
  positive("timings.answerMs", timings.answerMs);
  if (!(timings.answerStepMs >= 0)) {
    const given = timings.answerStepMs;
    throw new RpcError(Code.InvalidArgument, `timings.answerStepMs must be a number from 0 on, not ${given}`);
  }
  const { probes, answerMs, answerStepMs } = timings;
  let startedAt: number | undefined;
  let attempts = 0;
  let answered = 0;
  let unanswered = 0;
  const attempt = async ({ attemptMs, signal, clock }: DialTurn): Promise<Ready | undefined> => {
    startedAt ??= clock.now();
    attempts++;
    const inARow = answered;
    answered = 0;
    const link = await within((stop) => dialer.dial(stop), {
      ms: attemptMs,
      signal,
      clock,
      late: "no connection",
      dispose: (late) => late.destroy(),
    });
    try {
      if (probes > 0) {
        // Counted until it is answered.
        const ms = answerMs + answerStepMs * unanswered++;
        await within(() => ask(link), { ms, signal, clock, late: "no answer", dispose() {} });
        unanswered--;
      }
    } finally {
      link.destroy();
    }
    answered = inARow + 1;
    return answered < probes ? undefined : { elapsedMs: clock.now() - startedAt, attempts };
  };
  return retryDial({ failed, late: "no connection", policy: timings, attempt }, options);
}

function dialerOf(target: ReadyTarget): Dialer {
  if ((target as unknown) instanceof Duplex || (typeof target === "string" && target.startsWith("fd:"))) {
    const what = typeof target === "string" ? target : "an open stream";
    throw new RpcError(Code.InvalidArgument, `${what} is one connection; readiness takes a new one for every attempt`);
  }
  return dialerFor(target);
}

function positive(name: string, value: number): void {
  if (typeof value === "number" && value > 0) return;
  throw new RpcError(Code.InvalidArgument, `${name} must be a number of milliseconds above 0, not ${value}`);
}
