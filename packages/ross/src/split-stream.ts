// One stream of a run that is read stream by stream: its pieces wait here while the other one is read. Knows no call.
import { splitPieces } from "./limits.js";

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** One stream of two. */
export class SplitStream implements AsyncIterableIterator<Uint8Array> {
  readonly #pull: () => Promise<boolean>;
  readonly #onLeft: () => void;
  readonly #pieces: Uint8Array[] = [];
  #room = Promise.withResolvers<void>();
  /** Whether its reader has left. */
  left: boolean = false;

  /**
   * @param pull Reads one more message of the call; false at its end.
   * @param onLeft Called when the reader leaves.
   */
  constructor(pull: () => Promise<boolean>, onLeft: () => void) {
    this.#pull = pull;
    this.#onLeft = onLeft;
  }

  get full(): boolean {
    return !this.left && this.#pieces.length >= splitPieces;
  }

  get room(): Promise<void> {
    return this.#room.promise;
  }

  put(data: Uint8Array): void {
    if (!this.left) this.#pieces.push(data);
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const value = this.#pieces.shift();
      if (value !== undefined) {
        this.#makeRoom();
        return { done: false, value };
      }
      if (this.left || !(await this.#pull())) {
        if (this.#pieces.length === 0) return finished;
      }
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    if (!this.left) {
      this.left = true;
      this.#pieces.length = 0;
      this.#makeRoom();
      this.#onLeft();
    }
    return finished;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #makeRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}
