// A queue between who writes messages and who reads them, bounded by making the writer wait. No I/O, no codec.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

type Result<T> = IteratorResult<T, undefined>;

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** The two ends of a stream: push on one, iterate on the other, once. */
export class Pipe<T> implements AsyncIterableIterator<T, undefined, void>, AsyncDisposable {
  readonly #highWaterMark: number;
  readonly #left: (() => void) | undefined;
  // A list with a moving head: shift() of a long array moves everything.
  #values: T[] = [];
  #head = 0;
  readonly #readers: PromiseWithResolvers<Result<T>>[] = [];
  readonly #writers: PromiseWithResolvers<void>[] = [];
  #ended = false;
  /** Why nobody reads any more. */
  #gone: unknown;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param highWaterMark From how many waiting values on `push` makes its caller wait.
   * @param left Called once when the reader leaves before the end.
   */
  constructor(highWaterMark: number, left?: () => void) {
    this.#highWaterMark = highWaterMark;
    this.#left = left;
  }

  /** How many values wait. */
  get size(): number {
    return this.#values.length - this.#head;
  }

  push(value: T): Promise<void> {
    const written = this.#write(value);
    // Who does not await it hears of a reader that left from the next push, or from the call; never from the process.
    written.catch(() => {});
    return written;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    const first = this.#readers.shift();
    if (first === undefined) this.#failure = { error };
    else first.reject(error);
    this.end();
  }

  /** Ends at once: what waits is dropped, and the reader and all writers fail with this error. */
  abort(error: unknown): void {
    if (this.#gone !== undefined) return;
    // Where the end was written already, the error says why what waits is lost.
    if (this.#ended && this.size > 0) this.#failure = { error };
    this.#drop(error);
    this.fail(error);
  }

  async next(): Promise<Result<T>> {
    if (this.size > 0) return { done: false, value: this.#shift() };
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#ended) return finished;
    const reader = Promise.withResolvers<Result<T>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  async return(): Promise<Result<T>> {
    const early = !this.#ended || this.size > 0 || this.#failure !== undefined;
    this.#failure = undefined;
    this.#drop(new RpcError(Code.Canceled, "nobody reads this stream any more", { reason: "canceled" }));
    this.end();
    if (early) this.#left?.();
    return finished;
  }

  async throw(error: unknown): Promise<Result<T>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #write(value: T): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#ended) throw new RpcError(Code.FailedPrecondition, "the stream has ended; nothing can be pushed");
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve({ done: false, value });
    this.#values.push(value);
    if (this.size < this.#highWaterMark) return;
    const writer = Promise.withResolvers<void>();
    this.#writers.push(writer);
    return writer.promise;
  }

  #shift(): T {
    const value = this.#values[this.#head] as T;
    this.#values[this.#head++] = undefined as T;
    if (this.#head === this.#values.length) {
      this.#values = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#head);
      this.#head = 0;
    }
    // As many writers wait as there are values from the mark on, also where nobody awaited the pushes before.
    if (this.#writers.length > Math.max(0, this.size - this.#highWaterMark + 1)) this.#writers.shift()?.resolve();
    return value;
  }

  /** Nobody reads any more. */
  #drop(reason: unknown): void {
    this.#gone ??= reason;
    this.#values = [];
    this.#head = 0;
    for (const writer of this.#writers.splice(0)) writer.reject(reason);
  }
}
