// Small tools on streams of messages between Connect and us. None has a queue and none is a generator: a generator passes
// `return` on only between two messages.
import type { MessageStream } from "@guestwire/rpc";
import { iterate, leave } from "@guestwire/rpc/transport";

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** What is told of a stream that is read; each is optional and may change what its reader gets. */
export interface StreamHooks {
  /** Told of each message; what it throws is the source's failure. */
  readonly each?: (message: unknown) => void;
  /** Gives what is thrown in place of what the source threw. */
  readonly failed?: (error: unknown) => unknown;
  /** Told when the source has ended, well or with an error, before the reader is. */
  readonly ended?: () => void;
}

/**
 * A stream that is read as its source, with the hooks around. Asked for several iterators it gives one and the same, as
 * Connect asks once to read and once to leave.
 */
export function hooked<T>(messages: MessageStream<T>, { each, failed, ended }: StreamHooks): AsyncIterableIterator<T> {
  let source: AsyncIterator<T> | Iterator<T> | undefined;
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    ended?.();
  };
  const stream: AsyncIterableIterator<T> = {
    async next() {
      if (over) return finished;
      let result: IteratorResult<T>;
      try {
        source ??= iterate(messages);
        result = await source.next();
        if (result.done !== true) each?.(result.value);
      } catch (error) {
        end();
        throw failed === undefined ? error : failed(error);
      }
      if (result.done !== true) return result;
      end();
      return finished;
    },
    async return() {
      // Also where nobody has begun to read: who pushes into it must not wait for ever.
      source ??= iterate(messages);
      await source.return?.();
      return finished;
    },
    // Connect gives up on a stream by this, and takes none without it.
    async throw(error) {
      over = true;
      source ??= iterate(messages);
      leave(source);
      throw error;
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

/**
 * The responses of a call once something is known of them: the metadata in front of them has come, or the first of them,
 * or their end. On a wire without such metadata the first response says that there is none.
 *
 * @param header Resolves when the metadata has come.
 * @throws whatever reading the first response throws, where that is before the metadata.
 */
export async function begun<T>(messages: AsyncIterable<T>, header: Promise<void>): Promise<AsyncIterableIterator<T>> {
  const source = messages[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<T>> | undefined = source.next();
  // Read or not, its failure is told to who reads, never to the process.
  first.catch(() => {});
  await Promise.race([header, first]);
  const rest: AsyncIterableIterator<T> = {
    next() {
      const result = first ?? source.next();
      first = undefined;
      return result;
    },
    async return() {
      await source.return?.();
      return finished;
    },
    async throw(error) {
      leave(source);
      throw error;
    },
    [Symbol.asyncIterator]: () => rest,
  };
  return rest;
}
