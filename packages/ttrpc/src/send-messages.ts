// Sends what an iterable gives, one message after the other, as fast as the connection takes it: the requests of a
// client and the responses of a handler alike.
import type { MessageStream } from "@guestwire/rpc";

/** Where messages go. */
export interface MessageSink {
  /** Whether nobody waits for messages any more. */
  over(): boolean;
  /** Sends one. @throws when it cannot be sent, which ends the call. */
  send(message: object): void;
  /** Resolves when more can be sent; `undefined` when it can at once. */
  writable(): Promise<void> | undefined;
  /** Lets other work have its turn. */
  turn(): Promise<void> | undefined;
  /** All are sent, or nobody waits any more; or it failed with `error`. Told once. A method, as a promise takes 500 bytes more. */
  sent(error?: unknown): void;
}

/** Any iterator over messages. */
export type MessageIterator = AsyncIterator<object> | Iterator<object>;

// A source that never waits for anything would otherwise keep the event loop to itself.
const messagesPerTurn = 1000;

/** Begins to read an iterable; `undefined` where the value is none. */
export function iterate(messages: MessageStream<object>): MessageIterator | undefined {
  if (typeof messages !== "object" || messages === null) return undefined;
  if (Symbol.asyncIterator in messages) return messages[Symbol.asyncIterator]();
  return Symbol.iterator in messages ? messages[Symbol.iterator]() : undefined;
}

/** Sends all messages of a source, or leaves it once nobody waits; then tells the sink. */
export async function sendMessages(source: MessageIterator, sink: MessageSink): Promise<void> {
  let sent = 0;
  let finished = false;
  let failed = false;
  let error: unknown;
  try {
    while (!sink.over()) {
      const next = source.next();
      // A synchronous iterator's result is used as it is: an await for each message would triple its price.
      const result = next instanceof Promise || !("done" in next) ? await next : next;
      if (result.done) {
        finished = true;
        break;
      }
      // Asked anew after each wait: of many who waited for room, the first one may have taken it.
      for (let wait = sink.writable(); wait !== undefined && !sink.over(); wait = sink.writable()) await wait;
      if (sink.over()) break;
      sink.send(result.value);
      if (++sent % messagesPerTurn === 0) await sink.turn();
      // Before the source makes the next message, as a slow reader shall slow it down.
      const wait = sink.writable();
      if (wait !== undefined) await wait;
    }
  } catch (thrown) {
    failed = true;
    error = thrown;
  }
  if (!finished) leave(source);
  if (failed) sink.sent(error ?? new TypeError(`${error} was thrown`));
  else sink.sent();
}

/** Lets a source clean up. Not waited for: it may be in the middle of something that never ends. */
export function leave(source: MessageIterator): void {
  try {
    Promise.resolve(source.return?.()).catch(() => {});
  } catch {
    // The call is over; nobody is left to tell.
  }
}
