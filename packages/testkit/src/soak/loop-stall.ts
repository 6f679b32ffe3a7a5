// How long this process' event loop stood still, so that a busy machine is not blamed on the code that is checked.

const everyMs = 5;
const kept = 8192;

/** Watches the event loop while it runs. */
export class LoopStall {
  readonly #ticks: { readonly at: number; readonly lateMs: number }[] = [];
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
    this.#ticks.length = 0;
  }

  /** For how many milliseconds since then the loop was late in all, with what it is late now. */
  since(then: number): number {
    const now = performance.now();
    let late = Math.max(0, now - this.#due);
    for (let i = this.#ticks.length - 1; i >= 0; i--) {
      const { at, lateMs } = this.#ticks[i] as { at: number; lateMs: number };
      if (at < then) break;
      late += lateMs;
    }
    return late;
  }

  #tick(): void {
    const at = performance.now();
    const lateMs = at - this.#due;
    // A timer is up to a millisecond late at any time.
    if (lateMs > 1) this.#ticks.push({ at, lateMs });
    if (this.#ticks.length > kept) this.#ticks.splice(0, kept / 2);
    this.#due = at + everyMs;
  }
}
