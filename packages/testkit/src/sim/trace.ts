// What happened in a world, as a number that two runs can be compared by, and as text where somebody wants to read it.

/** Takes down what happens. */
export class Trace {
  readonly #lines: string[] | undefined;
  #hash = 0x811c9dc5;
  #other = 0x2545f491;
  #events = 0;

  /** @param keep Whether to keep the text too. */
  constructor(keep: boolean) {
    this.#lines = keep ? [] : undefined;
  }

  /** How many events there were. */
  get events(): number {
    return this.#events;
  }

  /** The same for two runs in which the same things happened at the same times, and hardly ever for others. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0") + (this.#other >>> 0).toString(16).padStart(8, "0");
  }

  /** All events, one a line; none where they are not kept. */
  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  /** Adds an event. */
  add(now: number, what: string, a: number, b: number): void {
    this.#events++;
    this.#mix(Math.round(now * 1000));
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    this.#mix(a);
    this.#mix(b);
    this.#lines?.push(`${(now - 1_000_000).toFixed(2).padStart(10)} ms  ${what}  ${a} ${b}`);
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
    this.#other = Math.imul(this.#other ^ (value + (this.#hash >>> 15)), 0x85ebca6b);
  }
}
