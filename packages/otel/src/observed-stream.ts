// Streams of messages under observation: each message is told of, and so is the end. Not generators: a generator hears of
// a reader who left only between two messages.

/** What is told of a stream. */
export interface StreamWatch<T> {
  message(message: T): void;
  /** There is nothing more. */
  done(): void;
  failed(error: unknown): void;
  /** Nobody reads on. */
  left(): void;
  /** Runs a step of the source where it belongs. */
  within<R>(step: () => R): R;
}

/** The same stream, watched. It can be read as often as its source. */
export function watched<T>(source: AsyncIterable<T>, watch: StreamWatch<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () =>
      new WatchedIterator(
        watch.within(() => source[Symbol.asyncIterator]()),
        watch,
      ),
  };
}

class WatchedIterator<T> implements AsyncIterator<T, undefined, void> {
  readonly #source: AsyncIterator<T>;
  readonly #watch: StreamWatch<T>;
  readonly #step: () => Promise<IteratorResult<T>>;

  constructor(source: AsyncIterator<T>, watch: StreamWatch<T>) {
    this.#source = source;
    this.#watch = watch;
    this.#step = () => source.next();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    let result: IteratorResult<T>;
    try {
      result = await this.#watch.within(this.#step);
    } catch (error) {
      this.#watch.failed(error);
      throw error;
    }
    if (result.done) {
      this.#watch.done();
      return { done: true, value: undefined };
    }
    this.#watch.message(result.value);
    return result;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#watch.left();
    await this.#watch.within(() => this.#source.return?.());
    return { done: true, value: undefined };
  }
}
