// The requests of a call as its handler reads them: one is asked of the wire for each that is read, so that a handler that
// reads slowly slows its client down. Knows no encoding.
import type { Message } from "@bufbuild/protobuf";
import type { RpcError } from "@guestwire/rpc";

type Result = IteratorResult<Message, undefined>;

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A stream of requests. It can be read once. */
export class RequestStream implements AsyncIterableIterator<Message, undefined, void> {
  readonly #ask: () => void;
  readonly #readers: PromiseWithResolvers<Result>[] = [];
  #asked = false;
  #asking = false;
  #ended = false;
  #left = false;
  #failure: RpcError | undefined;

  /** @param ask Asks the wire for one message or for the end, which may come at once. */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** A message came. */
  push(message: Message): void {
    this.#asked = false;
    this.#readers.shift()?.resolve({ done: false, value: message });
    this.#askAgain();
  }

  /** No more messages come. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
  }

  /** Nothing more is to be had: the reader gets the error. */
  fail(error: RpcError): void {
    if (this.#ended) return;
    const first = this.#readers.shift();
    if (first !== undefined) first.reject(error);
    else if (!this.#left) this.#failure = error;
    this.end();
  }

  async next(): Promise<Result> {
    if (this.#failure !== undefined) {
      const error = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#ended || this.#left) return finished;
    const reader = Promise.withResolvers<Result>();
    this.#readers.push(reader);
    this.#askAgain();
    return reader.promise;
  }

  /** The handler reads no more. What still comes is dropped, so that the client can send it: its call goes on. */
  async return(): Promise<Result> {
    this.#left = true;
    this.#failure = undefined;
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
    this.#askAgain();
    return finished;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #askAgain(): void {
    // An answer may come while asking. Then the loop below asks on, not this call inside of it: one frame of HTTP/2 holds
    // thousands of small messages, more than the stack has room for.
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (!this.#asked && !this.#ended && (this.#readers.length > 0 || this.#left)) {
        this.#asked = true;
        this.#ask();
      }
    } finally {
      this.#asking = false;
    }
  }
}
