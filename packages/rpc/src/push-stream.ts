// A writable end for methods that take a stream of requests: push on one side, iterate on the other. Bounded.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/** A stream that is filled by calling {@link PushStream.push}. It can be read once. */
export interface PushStream<T> extends AsyncIterableIterator<T, undefined, void>, AsyncDisposable {
  [Symbol.asyncIterator](): PushStream<T>;
  /**
   * Adds a value. Resolves when there is room for the next one, so awaiting it keeps memory bounded.
   *
   * @throws {RpcError} (as a rejection) Code.FailedPrecondition after `end` or `fail`; Code.Canceled when the reader has
   * left, as after the call ended.
   */
  push(value: T): Promise<void>;
  /** Ends the stream after what was pushed. Does nothing the second time. */
  end(): void;
  /** Makes the reader fail with this error after what was pushed. Does nothing after `end`. */
  fail(error: unknown): void;
}

/**
 * Makes a stream to push into.
 *
 * @param options `highWaterMark`: how many values may wait before `push` makes its caller wait. Default 16.
 */
export function createPushStream<T>(options: { readonly highWaterMark?: number } = {}): PushStream<T> {
  const { highWaterMark = 16 } = options;
  if (!(highWaterMark >= 1)) {
    throw new RpcError(Code.InvalidArgument, `highWaterMark must be at least 1, not ${highWaterMark}`);
  }
  const values: T[] = [];
  const readers: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  const writers: PromiseWithResolvers<void>[] = [];
  let ended = false;
  let left = false;
  let failure: { readonly error: unknown } | undefined;
  const finished: IteratorResult<T, undefined> = { done: true, value: undefined };

  const finish = (): void => {
    ended = true;
    for (const [index, reader] of readers.splice(0).entries()) {
      if (failure !== undefined && index === 0) reader.reject(failure.error);
      else reader.resolve(finished);
    }
    if (readers.length === 0 && values.length === 0) for (const writer of writers.splice(0)) writer.resolve();
  };

  const stream: PushStream<T> = {
    async push(value) {
      if (left) throw new RpcError(Code.Canceled, "nobody reads this stream any more", { reason: "canceled" });
      if (ended) throw new RpcError(Code.FailedPrecondition, "the stream has ended; nothing can be pushed");
      const reader = readers.shift();
      if (reader !== undefined) return reader.resolve({ done: false, value });
      values.push(value);
      if (values.length < highWaterMark) return;
      const writer = Promise.withResolvers<void>();
      writers.push(writer);
      return writer.promise;
    },
    end() {
      if (!ended) finish();
    },
    fail(error) {
      if (ended) return;
      if (readers.length === 0) failure = { error };
      else {
        const first = readers.shift();
        first?.reject(error);
      }
      finish();
    },
    async next() {
      if (values.length > 0) {
        const value = values.shift() as T;
        if (values.length < highWaterMark) writers.shift()?.resolve();
        return { done: false, value };
      }
      if (failure !== undefined) {
        const { error } = failure;
        failure = undefined;
        throw error;
      }
      if (ended || left) return finished;
      const reader = Promise.withResolvers<IteratorResult<T, undefined>>();
      readers.push(reader);
      return reader.promise;
    },
    async return() {
      left = true;
      values.length = 0;
      failure = undefined;
      finish();
      const gone = new RpcError(Code.Canceled, "nobody reads this stream any more", { reason: "canceled" });
      for (const writer of writers.splice(0)) writer.reject(gone);
      return finished;
    },
    [Symbol.asyncIterator]() {
      return stream;
    },
    async [Symbol.asyncDispose]() {
      stream.end();
    },
  };
  return stream;
}
