// How long this process' event loop stood still, so that a busy machine is not blamed on the code that is checked.

const everyMs = 5;
// The last late ticks; all of them reach back more than half a minute. Of fixed size, as heaps are measured beside it.
const kept = 8192;

/** Watches the event loop while it runs. */
export class LoopStall {
  readonly #at: Float64Array = new Float64Array(kept);
  readonly #lateMs: Float64Array = new Float64Array(kept);
  #count = 0;
  #due: number = performance.now() + everyMs;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to watch. */
  start(): void {
    this.#due = performance.now() + everyMs;
    this.#timer = setInterval(() => this.#tick(), everyMs);
  }

  /** Watches no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** For how many milliseconds since then the loop was late in all, with what it is late now. */
  since(then: number): number {
    const now = performance.now();
    let late = Math.max(0, now - this.#due);
    for (let i = this.#count - 1; i >= Math.max(0, this.#count - kept); i--) {
      if ((this.#at[i % kept] as number) < then) break;
      late += this.#lateMs[i % kept] as number;
    }
    return late;
  }

  #tick(): void {
    const at = performance.now();
    const lateMs = at - this.#due;
    // A timer is up to a millisecond late at any time.
    if (lateMs > 1) {
      this.#at[this.#count % kept] = at;
      this.#lateMs[this.#count++ % kept] = lateMs;
    }
    this.#due = at + everyMs;
  }
}
