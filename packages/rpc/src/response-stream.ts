// Response streams whose source is known only later, as when interceptors run first. No queue of its own.
import type { ResponseStream } from "./method.js";

/**
 * A response stream whose messages come from `open`, which runs at once. Leaving the stream early leaves the source.
 *
 * @param open Gives the messages; its rejection is what reading throws.
 */
export function deferredResponses<T>(open: () => Promise<AsyncIterable<T>>): ResponseStream<T> {
  let ended = false;
  const source = open().then((messages) => messages[Symbol.asyncIterator]());
  // A rejection that nobody reads must not be an unhandled one.
  source.catch(() => {});
  const stream: ResponseStream<T> = {
    async next() {
      if (ended) return { done: true, value: undefined };
      try {
        const result = await (await source).next();
        if (!result.done) return result;
      } catch (error) {
        ended = true;
        throw error;
      }
      ended = true;
      return { done: true, value: undefined };
    },
    async return() {
      if (!ended) {
        ended = true;
        const messages = await source.catch(() => undefined);
        await messages?.return?.();
      }
      return { done: true, value: undefined };
    },
    async throw(error: unknown) {
      await this.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return stream;
    },
    async [Symbol.asyncDispose]() {
      await stream.return?.();
    },
  };
  return stream;
}
