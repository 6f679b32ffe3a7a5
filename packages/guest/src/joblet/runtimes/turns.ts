// Lets a few do something at a time; the others wait for their turn, first come, first served.
import { untilAborted } from "../../wait.js";

/** Turns. */
export class Turns {
  #free: number;
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /**
   * Does something when it is its turn.
   *
   * @throws the signal's reason, when it fires before that; what `work` throws.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#take(signal);
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn);
    try {
      await untilAborted(turn.promise, signal);
    } catch (error) {
      const at = this.#waiting.indexOf(turn);
      // Its turn had just come.
      if (at < 0) this.#pass();
      else this.#waiting.splice(at, 1);
      throw error;
    }
  }

  #pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next.resolve();
  }
}
