// A writable end for methods that take a stream of requests: push on one side, iterate on the other. Bounded.
import { Code } from "./code.js";
import { Pipe } from "./pipe.js";
import { RpcError } from "./rpc-error.js";

/** A stream that is filled by calling {@link PushStream.push}. It can be read once. Disposing it ends it. */
export interface PushStream<T> extends AsyncIterableIterator<T, undefined, void>, AsyncDisposable {
  [Symbol.asyncIterator](): PushStream<T>;
  /** The reader leaves: waiting and later pushes fail with Code.Canceled. */
  return(): Promise<IteratorResult<T, undefined>>;
  /**
   * Adds a value. Resolves when there is room for the next one, so awaiting it keeps memory bounded. A rejection that
   * nobody awaits does no harm.
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
 * Makes a stream to push into, as the requests of a call or as the responses of a handler.
 *
 * @param options `highWaterMark`: from how many waiting values on `push` makes its caller wait. Default 16.
 * @throws {RpcError} Code.InvalidArgument when the high-water mark is less than 1 or no number.
 *
 * @example
 * const lines = createPushStream<{ text: string }>();
 * const total = client.join(lines);
 * await lines.push({ text: "one" });
 * lines.end();
 * await total;
 */
export function createPushStream<T>(options: { readonly highWaterMark?: number } = {}): PushStream<T> {
  const { highWaterMark = 16 } = options;
  if (!(typeof highWaterMark === "number" && highWaterMark >= 1)) {
    throw new RpcError(Code.InvalidArgument, `highWaterMark must be a number from 1 on, not ${String(highWaterMark)}`);
  }
  return new WritablePipe<T>(highWaterMark);
}

/** Its owner is the writer, so that disposal is the end of writing and loses nothing. */
class WritablePipe<T> extends Pipe<T> implements PushStream<T> {
  override async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }
}
