// Keeps latencies while a measurement runs, without making garbage. Past its size, new ones replace the oldest.
import { percentile } from "./statistics.js";

const size = 1 << 20;

/** Latencies in milliseconds. */
export class Samples {
  // Written all over at once: pages that come while calls are made would count as theirs.
  readonly #values = new Float64Array(size).fill(1);
  readonly #sorted = new Float64Array(size).fill(1);
  #count = 0;

  /** Adds one. */
  add(ms: number): void {
    this.#values[this.#count++ & (size - 1)] = ms;
  }

  /** Forgets all. */
  clear(): void {
    this.#count = 0;
  }

  /** The latencies, in microseconds, below which these parts of all lie; NaN where there are none. */
  percentilesMicros(...parts: readonly number[]): number[] {
    const kept = Math.min(this.#count, size);
    this.#sorted.set(this.#values.subarray(0, kept));
    const sorted = this.#sorted.subarray(0, kept).sort();
    return parts.map((part) => percentile(sorted, part) * 1000);
  }
}
