// Received messages of one stream, and at once the async iterator that reads them: no stage lies between. Says when it has
// room again; sends nothing.
import type { ResponseStream } from "@guestwire/rpc";

/** Whom a queue tells of its reader. */
export interface QueueOwner {
  /** The reader took a message, and the queue has room for more. */
  hungry(): void;
  /** The reader left before the end: `break`, `return`, disposal. Not called after the end. */
  left(): void;
}

interface Reader {
  resolve(result: IteratorResult<object, undefined>): void;
  reject(error: unknown): void;
}

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A queue of messages that is read with `for await`, once. */
export class ResponseQueue implements ResponseStream<object> {
  readonly #owner: QueueOwner;
  readonly #mostMessages: number;
  readonly #mostBytes: number;
  // Few at a time, so that shift() moves next to nothing.
  #values: object[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  #readers: Reader[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(owner: QueueOwner, mostMessages: number, mostBytes: number) {
    this.#owner = owner;
    this.#mostMessages = mostMessages;
    this.#mostBytes = mostBytes;
  }

  /** Whether another message may be asked for. */
  get room(): boolean {
    return this.#values.length < this.#mostMessages && this.#bytes < this.#mostBytes;
  }

  /** Adds a message. Does nothing after the end. */
  push(value: object, bytes: number): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve({ done: false, value });
    this.#values.push(value);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
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

  next(): Promise<IteratorResult<object, undefined>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#shift() });
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
    const early = !this.#ended || this.#values.length > 0 || this.#error !== undefined;
    this.#ended = true;
    this.#error = undefined;
    this.#clear();
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
    if (early) this.#owner.left();
    return Promise.resolve(finished);
  }

  async throw(error: unknown): Promise<IteratorResult<object, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #shift(): object {
    const value = this.#values.shift() as object;
    this.#bytes -= this.#sizes.shift() as number;
    if (!this.#ended && this.room) this.#owner.hungry();
    return value;
  }

  #clear(): void {
    this.#values = [];
    this.#sizes = [];
    this.#bytes = 0;
  }
}
