// Small tools on streams of messages. None has a queue and none is a generator: a generator passes `return` on only
// between two messages, so who leaves while it waits for one would not be heard.
import { Code } from "./code.js";
import type { MessageStream } from "./method.js";
import { RpcError } from "./rpc-error.js";

/** Any iterator over messages. */
export type MessageIterator<T> = AsyncIterator<T> | Iterator<T>;

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** Whether a value can be read message by message. */
export function isStream(value: unknown): value is MessageStream<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/** Begins to read a stream. */
export function iterate<T>(messages: MessageStream<T>): MessageIterator<T> {
  return Symbol.asyncIterator in messages ? messages[Symbol.asyncIterator]() : messages[Symbol.iterator]();
}

/** Lets a source clean up. Not waited for: it may be in the middle of something that never ends. */
export function leave(source: MessageIterator<unknown> | undefined): void {
  try {
    Promise.resolve(source?.return?.()).catch(() => {});
  } catch {
    // The call is over; nobody is left to tell.
  }
}

/**
 * Lets a stream clean up that nobody has begun to read and nobody will: who pushes into it must not wait for ever.
 * Anything that is no stream is left alone.
 */
export function abandon(messages: unknown): void {
  if (!isStream(messages)) return;
  try {
    leave(iterate(messages));
  } catch {
    // It cannot even be begun; nobody is left to tell.
  }
}

/** A stream of one message. It can be read again, as an interceptor does that repeats a call. */
export function only<T>(value: T): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      let given = false;
      return {
        async next() {
          if (given) return finished;
          given = true;
          return { done: false, value };
        },
        async return() {
          given = true;
          return finished;
        },
      };
    },
  };
}

/**
 * A stream with every message made into another. It can be read as often as its source.
 *
 * @param begun Told of each iterator over the source that is made, so that its end can be brought about from outside.
 */
export function mapped<T, U>(
  messages: MessageStream<T>,
  make: (message: T) => U,
  begun?: (source: MessageIterator<T>) => void,
): AsyncIterable<U> {
  return {
    [Symbol.asyncIterator]() {
      const source = iterate(messages);
      begun?.(source);
      return {
        async next() {
          const result = await source.next();
          if (result.done) return finished;
          try {
            return { done: false, value: make(result.value) };
          } catch (error) {
            leave(source);
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

/** A stream whose source is known only later, as when interceptors run first. `open` runs at once. */
export function deferred<T>(open: () => Promise<MessageStream<T>>): AsyncIterableIterator<T, undefined, void> {
  let ended = false;
  const opened = open().then(iterate);
  // A rejection that nobody reads must not be an unhandled one.
  opened.catch(() => {});
  return {
    async next() {
      if (ended) return finished;
      try {
        const result = await (await opened).next();
        if (!result.done) return result;
      } catch (error) {
        ended = true;
        throw error;
      }
      ended = true;
      return finished;
    },
    async return() {
      if (!ended) {
        ended = true;
        opened.then(leave, () => {});
      }
      return finished;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * The message of a stream that must have exactly one.
 *
 * @param whose Who made the stream and what for, as `an interceptor's answer to /a.B/C`.
 * @throws {RpcError} Code.Internal when there is none, or a second one.
 */
export async function onlyMessage<T>(messages: AsyncIterable<T>, whose: string): Promise<T> {
  let found: { readonly message: T } | undefined;
  for await (const message of messages) {
    if (found !== undefined) throw new RpcError(Code.Internal, `${whose} has several messages where one is due`);
    found = { message };
  }
  if (found === undefined) throw new RpcError(Code.Internal, `${whose} has no message where one is due`);
  return found.message;
}
