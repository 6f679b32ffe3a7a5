// One reader's queue: what is put in comes out of an async iterator. Says how full it is; what to do then is the owner's.
// Ends by itself when its signal fires, so that a reader who went away never keeps a place.

const finished: IteratorResult<never, undefined> = { done: true, value: undefined };

/** What a mailbox tells its owner. */
export interface MailboxOwner {
  /** A value was taken. */
  taken?(): void;
  /** The reader left, the signal fired, or everything was read: nothing is taken any more. */
  left?(): void;
}

/** A queue with one reader. */
export class Mailbox<T> implements AsyncIterableIterator<T, undefined, void> {
  readonly #values: T[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  readonly #owner: MailboxOwner;
  readonly #signal: AbortSignal | undefined;
  #ended = false;
  #left = false;
  #failure: { readonly error: unknown } | undefined;

  /** @param signal Makes the reader leave; its stream then ends without an error. */
  constructor(owner: MailboxOwner = {}, signal?: AbortSignal) {
    this.#owner = owner;
    this.#signal = signal;
    if (signal?.aborted) this.#leave();
    else signal?.addEventListener("abort", this);
  }

  /** How many values wait. */
  get size(): number {
    return this.#values.length;
  }

  /** Puts a value in; does nothing once the mailbox has ended. */
  put(value: T): void {
    if (this.#ended || this.#left) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#values.push(value);
    else reader.resolve({ done: false, value });
  }

  /** Ends the stream after what is in. */
  end(): void {
    this.#ended = true;
    if (this.#values.length === 0) this.#leave();
  }

  /** Makes the reader fail with this error after what is in. */
  fail(error: unknown): void {
    if (this.#ended || this.#left) return;
    this.#failure = { error };
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#failure = undefined;
      reader.reject(error);
    }
    this.#ended = true;
    if (this.#values.length === 0 && reader !== undefined) this.#leave();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#values.length > 0) {
      const value = this.#values.shift() as T;
      this.#owner.taken?.();
      if (this.#ended && this.#values.length === 0 && this.#failure === undefined) this.#leave();
      return { done: false, value };
    }
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#leave();
      throw error;
    }
    if (this.#ended || this.#left) return finished;
    const reader = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave();
    return finished;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
  }

  /** @internal The signal fired. */
  handleEvent(): void {
    this.#leave();
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#values.length = 0;
    this.#failure = undefined;
    this.#signal?.removeEventListener("abort", this);
    for (const reader of this.#readers.splice(0)) reader.resolve(finished);
    this.#owner.left?.();
  }
}
