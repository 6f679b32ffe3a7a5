// One step that may take so long and no longer, and ends with a signal. What comes too late is given away.
import type { Clock } from "./clock.js";

/** The bounds of a step. */
export interface WithinOptions<T> {
  readonly clock: Clock;
  /** How long the step may take, in milliseconds. */
  readonly ms: number;
  /** Ends the step. */
  readonly signal: AbortSignal;
  /** What to say when the time is up: "no connection". */
  readonly late: string;
  /** Takes what the step gives after its end. */
  dispose(result: T): void;
}

/** The error of a step that took too long, with the code of a system's own (`ETIMEDOUT`). */
export function timedOut(what: string, ms: number): Error {
  return Object.assign(new Error(`${what} within ${Math.round(ms)} ms`), { code: "ETIMEDOUT" });
}

/**
 * Runs a step. Rejects at once when the time is up ({@link timedOut}) or the signal fires (with its reason), whatever
 * the step does then; afterwards neither timer nor listener is left.
 *
 * @param step Given a signal that fires when nobody waits any more.
 */
export function within<T>(step: (signal: AbortSignal) => T | Promise<T>, options: WithinOptions<T>): Promise<T> {
  const { clock, ms, signal, late, dispose } = options;
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const own = new AbortController();
    let over = false;
    const settle = (): void => {
      over = true;
      timer.cancel();
      signal.removeEventListener("abort", stop);
    };
    const giveUp = (reason: unknown): void => {
      settle();
      reject(reason);
      own.abort(reason);
    };
    const stop = (): void => giveUp(signal.reason);
    const timer = clock.after(ms, () => giveUp(timedOut(late, ms)));
    signal.addEventListener("abort", stop);
    // An async function, so that what the step throws at once is a rejection too.
    const running = (async () => step(own.signal))();
    running.then(
      (result) => {
        if (over) return dispose(result);
        settle();
        resolve(result);
      },
      (error: unknown) => {
        if (over) return;
        settle();
        reject(error);
      },
    );
  });
}
