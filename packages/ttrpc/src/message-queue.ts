// Received messages of one stream, and at once the async iterator that reads them: no stage lies between.
// Keeps count of what waits; decides nothing about bounds (see receive-budget.ts) and sends nothing.
import type { ResponseStream } from "@guestwire/rpc";

/** Whom a queue tells of its reader. */
export interface QueueOwner {
  /** The reader took a message that had this size. */
  consumed(bytes: number): void;
  /** The reader left before the end: `break`, `return`, disposal. Not called after the end. */
  left(): void;
}

interface Reader<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A queue of messages that is read with `for await`, once. */
export class MessageQueue<T> implements ResponseStream<T> {
  readonly #owner: QueueOwner;
  // A list with a moving head: shift() of a long array moves everything.
  #values: T[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;
  #reads = 0;
  #readers: Reader<T>[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(owner: QueueOwner) {
    this.#owner = owner;
  }

  /** How many messages wait. */
  get size(): number {
    return this.#values.length - this.#head;
  }

  /** The sum of the waiting messages' sizes on the wire. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How often a message was taken; changes while the reader reads. */
  get reads(): number {
    return this.#reads;
  }

  /** Whether nothing more will be added. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Adds a message.
   *
   * @returns Whether it has to wait; otherwise a reader got it at once and it counts nothing.
   */
  push(value: T, bytes: number): boolean {
    if (this.#ended) return false;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#reads++;
      reader.resolve({ done: false, value });
      return false;
    }
    this.#values.push(value);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    return true;
  }

  /** Ends the queue after what waits. Does nothing the second time. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
  }

  /** Makes the reader fail after what waits; `discard` drops what waits. Does nothing after the end. */
  fail(error: Error, discard: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    if (discard) this.#clear();
    const [first, ...others] = this.#readers.splice(0);
    if (first === undefined) this.#error = error;
    else first.reject(error);
    for (const reader of others) reader.resolve(finished);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#head < this.#values.length) return Promise.resolve({ done: false, value: this.#shift() });
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve(finished);
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    const early = !this.#ended || this.size > 0 || this.#error !== undefined;
    this.#ended = true;
    this.#error = undefined;
    this.#clear();
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
    if (early) this.#owner.left();
    return Promise.resolve(finished);
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #shift(): T {
    const value = this.#values[this.#head] as T;
    const bytes = this.#sizes[this.#head] as number;
    // Lets go of the message; the list itself is cut when half of it is used.
    this.#values[this.#head++] = undefined as T;
    this.#bytes -= bytes;
    this.#reads++;
    if (this.#head === this.#values.length) {
      this.#values = [];
      this.#sizes = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#head);
      this.#sizes = this.#sizes.slice(this.#head);
      this.#head = 0;
    }
    this.#owner.consumed(bytes);
    return value;
  }

  #clear(): void {
    const bytes = this.#bytes;
    // Messages without bytes count as well.
    const waiting = this.size > 0;
    this.#values = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
    if (waiting) this.#owner.consumed(bytes);
  }
}
