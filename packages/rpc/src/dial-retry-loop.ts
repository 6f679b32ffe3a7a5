// Tries until it works, the time is up, the caller gives up or trying again is of no use. Knows nothing of sockets.
import { checkSignal, checkTimeout } from "./call-end.js";
import { type Clock, pause, systemClock } from "./clock.js";
import { Code } from "./code.js";
import { isTransientDialError } from "./dial-retry-errors.js";
import { checkDialPolicy, type DialPolicy, stepMs } from "./dial-retry-policy.js";
import { type FailureReason, RpcError } from "./rpc-error.js";
import { timedOut } from "./within.js";

/** An attempt that was not the last one. */
export interface DialAttempt {
  /** Its number, from 1 on. */
  readonly attempt: number;
  /** Why it failed; `undefined` where it succeeded and more successes are asked for. */
  readonly error: unknown;
  /** How long all has taken so far, in milliseconds. */
  readonly elapsedMs: number;
  /** How long until the next attempt, in milliseconds. */
  readonly nextMs: number;
}

/** How attempts are repeated. */
export interface DialRetryOptions {
  /** Replaces the policy's `timeoutMs`: how long all may take together, in milliseconds; 0 and Infinity: no limit. */
  readonly timeoutMs?: number;
  /** Ends the waiting at once. Default none. */
  readonly signal?: AbortSignal;
  /** Whether a failure is worth another attempt. Default {@link isTransientDialError}. */
  readonly isTransient?: (error: unknown) => boolean;
  /** Told of every attempt after which another one follows. What it throws ends the waiting. Default none. */
  readonly onAttempt?: (attempt: DialAttempt) => void;
  /** The time. Default Node's own. */
  readonly clock?: Clock;
  /** Random numbers from 0 to 1, for the policy's jitter. Default `Math.random`. */
  readonly random?: () => number;
}

/** One turn of the loop. */
export interface DialTurn {
  /** How long this attempt may take by the policy, in milliseconds. */
  readonly attemptMs: number;
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** What is tried. */
export interface DialTask<T> {
  /** What failed, for errors: "cannot connect to unix:///a". */
  readonly failed: string;
  /** What there was not when the time is up during the first attempt: "no connection". */
  readonly late: string;
  readonly policy: DialPolicy;
  /** Ends as soon as the signal fires. `undefined`: it worked, and another attempt is wanted. */
  attempt(turn: DialTurn): Promise<T | undefined>;
}

/**
 * Repeats attempts by a policy. Where the pause would outlast the time, a last attempt comes just before the end; it
 * has as long as the policy's shortest pause.
 *
 * @throws {RpcError} Code.DeadlineExceeded when the time is up, Code.Canceled when the signal fired, both with how many
 * attempts there were; otherwise the code that the first failure which does not pass stands for. `cause` is the last
 * failure, or the signal's reason.
 */
export async function retryDial<T>(task: DialTask<T>, options: DialRetryOptions): Promise<T> {
  const { policy } = task;
  const { clock = systemClock, random = Math.random, isTransient = isTransientDialError, signal } = options;
  checkDialPolicy(policy);
  checkTimeout(options.timeoutMs);
  checkSignal(signal);
  const timeoutMs = (options.timeoutMs ?? policy.timeoutMs) || Number.POSITIVE_INFINITY;
  const least = policy.pause === "rest" ? policy.attempt.initialMs : policy.pause.initialMs;
  const startedAt = clock.now();
  const end = new AbortController();
  const stop = (): void => end.abort();
  let attempts = 0;
  let failures = 0;
  let slow = 0;
  let last: unknown;

  const failure = (code: Code, reason: FailureReason, why: string, cause: unknown) => {
    const spent = `${attempts} ${attempts === 1 ? "attempt" : "attempts"} in ${Math.round(clock.now() - startedAt)} ms`;
    return new RpcError(code, `${task.failed}: ${why} (${spent})`, { reason, ...(cause !== undefined && { cause }) });
  };
  const ended = (): RpcError => {
    if (signal?.aborted) {
      const text = last === undefined ? "" : `; the last failure: ${textOf(last)}`;
      return failure(Code.Canceled, "canceled", `canceled by the caller${text}`, signal.reason);
    }
    const why = last ?? timedOut(task.late, timeoutMs);
    return failure(Code.DeadlineExceeded, "deadline", textOf(why), why);
  };
  const refused = (error: unknown): RpcError => {
    const { code, reason } =
      error instanceof RpcError || !isTransientDialError(error)
        ? RpcError.from(error, Code.Unavailable)
        : { code: Code.Unavailable };
    return failure(code, reason ?? "connect_failed", textOf(error), error);
  };
  /** How long until the next attempt; `undefined` when none is worth it. */
  const nextIn = (beganAt: number, attemptMs: number): number | undefined => {
    const now = clock.now();
    const pauseMs =
      policy.pause === "rest"
        ? Math.max(0, beganAt + attemptMs - now)
        : stepMs(policy.pause, Math.max(0, failures - 1)) * (1 - random() * (policy.jitter ?? 0));
    const lastMs = startedAt + timeoutMs - least - now;
    if (pauseMs <= lastMs) return pauseMs;
    return least <= lastMs ? lastMs : undefined;
  };

  if (signal?.aborted) throw ended();
  signal?.addEventListener("abort", stop);
  const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.after(timeoutMs, stop);
  try {
    for (;;) {
      const beganAt = clock.now();
      const attemptMs = stepMs(policy.attempt, slow);
      let error: unknown;
      attempts++;
      try {
        const result = await task.attempt({ attemptMs, signal: end.signal, clock });
        if (result !== undefined) return result;
        failures = 0;
      } catch (caught) {
        if (end.signal.aborted) throw ended();
        if (!isTransient(caught)) throw refused(caught);
        error = caught;
        last = caught;
        failures++;
        if (policy.pause === "rest" || clock.now() - beganAt >= attemptMs) slow++;
      }
      const nextMs = nextIn(beganAt, attemptMs);
      if (nextMs === undefined) throw ended();
      options.onAttempt?.({ attempt: attempts, error, elapsedMs: clock.now() - startedAt, nextMs });
      await pause(nextMs, clock, end.signal);
      if (end.signal.aborted) throw ended();
    }
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", stop);
  }
}

function textOf(error: unknown): string {
  return RpcError.from(error).rawMessage;
}
