// Small tools on streams. None is a generator: a generator passes `return` on only between two messages.

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A stream whose failure is another one. */
export function mapFailures<T>(messages: AsyncIterable<T>, make: (error: unknown) => unknown): AsyncIterable<T> {
  return passedOn(messages, (message) => message, make);
}

/** A stream with something done to every message, in order. What it throws ends the stream and its source. */
export function passedOn<T, U>(
  messages: AsyncIterable<T>,
  each: (message: T) => U,
  failed: (error: unknown) => unknown = (error) => error,
): AsyncIterable<U> {
  return {
    [Symbol.asyncIterator]() {
      const source = messages[Symbol.asyncIterator]();
      return {
        async next() {
          let result: IteratorResult<T>;
          try {
            result = await source.next();
          } catch (error) {
            throw failed(error);
          }
          if (result.done) return finished;
          try {
            return { done: false, value: each(result.value) };
          } catch (error) {
            // Not waited for: the source may be in the middle of something.
            void Promise.resolve(source.return?.()).catch(() => {});
            throw error;
          }
        },
        async return() {
          await source.return?.();
          return finished;
        },
      };
    },
  };
}
