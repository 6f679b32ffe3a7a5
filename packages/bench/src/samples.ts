// Keeps latencies while a measurement runs, without making garbage. Past its size, new ones replace the oldest.
import { percentile } from "./statistics.js";

const size = 1 << 20;

/** Latencies in milliseconds. */
export class Samples {
  readonly #values = new Float64Array(size);
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
    const sorted = this.#values.slice(0, Math.min(this.#count, size)).sort();
    return parts.map((part) => percentile(sorted, part) * 1000);
  }
}
