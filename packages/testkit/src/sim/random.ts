// Random numbers that a seed decides: the same seed, the same numbers, on every machine. Knows nothing of the simulation.

/** A seeded source of random numbers (a 32-bit counter, well mixed). */
export class SimRandom {
  #state: number;

  /** @param seed Any whole number; its lowest 32 bits count. */
  constructor(seed: number) {
    this.#state = mix(seed | 0);
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return (mix(this.#state) >>> 0) / 4294967296;
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** `true` this often. @param probability From 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of several. */
  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.next() * values.length)] as T;
  }

  /** A seed for a source of its own, so that what one part draws changes nothing for the others. */
  seed(): number {
    return Math.floor(this.next() * 4294967296) | 0;
  }
}

function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
