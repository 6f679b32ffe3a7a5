// The responses of a call that runs through interceptors, tied to the call's end. No queue of its own.
import type { CallEnd } from "./call-end.js";
import type { MessageStream, ResponseStream } from "./method.js";
import type { RpcError } from "./rpc-error.js";
import { iterate, leave } from "./streams.js";

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/**
 * A response stream whose messages come from `open`, which runs at once. The end of the call ends reading at once and
 * leaves the source; leaving early ends the call.
 *
 * @param open Gives the messages; its rejection is what reading throws.
 * @param asError What becomes of other errors than the end's own.
 */
export function endedResponses<T>(
  end: CallEnd,
  open: () => Promise<MessageStream<T>>,
  asError: (error: unknown) => RpcError,
): ResponseStream<T> {
  let over = false;
  const opened = end.race(async () => {
    const source = iterate(await open());
    // Also where the call ended meanwhile and nobody waits for this source any more.
    end.whenOver((error) => {
      if (error !== undefined) leave(source);
    });
    return source;
  });
  // A rejection that nobody reads must not be an unhandled one.
  opened.catch(() => {});
  const read = async (): Promise<IteratorResult<T, undefined>> => {
    if (over) return finished;
    try {
      const source = await opened;
      const result = await end.race(async () => source.next());
      if (!result.done) return result;
      over = true;
      end.settle();
      return finished;
    } catch (error) {
      // Left meanwhile: the reader asked for the end and gets no error for it.
      if (over) return finished;
      over = true;
      end.settle();
      throw asError(error);
    }
  };
  return responseStream(read, () => {
    over = true;
    end.leave();
  });
}

/** A response stream that fails at once. */
export function closedResponses<T>(error: RpcError): ResponseStream<T> {
  let over = false;
  return responseStream<T>(
    async () => {
      if (over) return finished;
      over = true;
      throw error;
    },
    () => {
      over = true;
    },
  );
}

function responseStream<T>(read: () => Promise<IteratorResult<T, undefined>>, left: () => void): ResponseStream<T> {
  const stream: ResponseStream<T> = {
    next: read,
    async return() {
      left();
      return finished;
    },
    async throw(error: unknown) {
      left();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return stream;
    },
    async [Symbol.asyncDispose]() {
      left();
    },
  };
  return stream;
}
