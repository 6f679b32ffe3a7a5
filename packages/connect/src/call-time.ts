// How long a call of Connect may take, as Connect's transports read it, and the signal that goes with it.
import { isDeadline } from "./errors.js";

// Connect sets one timer for all of the time, and Node's timers end at once for more than this.
const longestTimerMs = 2 ** 31 - 1;

/** The time of one call, from now on. */
export class CallTime {
  /** For Connect's own timer; `undefined` for none. */
  readonly timerMs: number | undefined;
  /** Whether the caller has said that there is no limit, whatever the channel's default. */
  readonly #unlimited: boolean;
  readonly #deadlineAt: number;

  /**
   * @param timeoutMs As a caller gives it: 0 and less switch the default off.
   * @param defaultMs The transport's own, where the caller gave none.
   */
  constructor(timeoutMs: number | undefined, defaultMs: number | undefined) {
    const limitMs = timeoutMs ?? defaultMs;
    const limited = limitMs !== undefined && limitMs > 0 && limitMs !== Number.POSITIVE_INFINITY;
    this.#unlimited = limitMs !== undefined && !limited;
    this.#deadlineAt = limited ? performance.now() + limitMs : Number.POSITIVE_INFINITY;
    this.timerMs = limited && limitMs <= longestTimerMs ? limitMs : undefined;
  }

  /** How long the call may still take. */
  get leftMs(): number {
    return this.#deadlineAt - performance.now();
  }

  /** For the channel's call: `undefined` leaves it the channel's default, 0 is no limit. */
  get timeoutMs(): number | undefined {
    if (this.#deadlineAt === Number.POSITIVE_INFINITY) return this.#unlimited ? 0 : undefined;
    // Never 0 and less, which would be no limit.
    return Math.max(this.leftMs, Number.MIN_VALUE);
  }

  /**
   * The signal for the channel's call. The deadline does not fire it, as the channel has a clock of its own and tells
   * the server of a deadline what it would not tell of a caller who gave up.
   */
  signalFor(signal: AbortSignal): AbortSignal {
    if (this.#deadlineAt === Number.POSITIVE_INFINITY) return signal;
    const controller = new AbortController();
    const forward = (): void => {
      // Timers may be a millisecond early, and who passes a deadline on may have rounded it up by one.
      if (isDeadline(signal.reason) && this.leftMs <= 2) return;
      controller.abort(signal.reason);
    };
    if (signal.aborted) forward();
    else signal.addEventListener("abort", forward, { once: true });
    return controller.signal;
  }
}
