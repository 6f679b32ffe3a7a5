// When a container starts again by itself: its policy, and pauses that grow while it keeps ending.
import type { ContainerRecord } from "./container-record.js";

const firstPauseMs = 100;
const longestPauseMs = 60_000;
// After running this long the pauses begin anew, as in Docker.
const goodRunMs = 10_000;

/** Decides and waits. */
export class RestartTimer {
  readonly #rule: ContainerRecord["restart"];
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #pauseMs = firstPauseMs;

  /** @param over Called when no start is coming any more. */
  constructor(rule: ContainerRecord["restart"], over: () => void) {
    this.#rule = rule;
    this.#over = over;
  }

  /** Whether a start is coming. */
  get pending(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * The process has ended by itself; `again` is called after a pause where the policy says so. The start is pending until
   * that is over, whether it fails or not.
   */
  ended(code: number, ranMs: number, again: () => Promise<void>): void {
    const { policy, maximum } = this.#rule;
    if (policy === "no" || (policy === "on-failure" && code === 0)) return;
    if (ranMs >= goodRunMs) this.reset();
    if (maximum > 0 && this.#count >= maximum) return;
    this.#count++;
    const timer = setTimeout(() => {
      const over = (): void => {
        if (this.#timer === timer) this.cancel();
      };
      again().then(over, over);
    }, this.#pauseMs);
    this.#timer = timer;
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }

  /** No start comes. @returns Whether one was coming. */
  cancel(): boolean {
    if (this.#timer === undefined) return false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#over();
    return true;
  }

  /** Somebody started it: pauses and counts begin anew. */
  reset(): void {
    this.cancel();
    this.#count = 0;
    this.#pauseMs = firstPauseMs;
  }
}
