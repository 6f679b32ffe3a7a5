// Which stream ids a client may still use. No frames, no answers.

// How far back a skipped id may still come.
const windowIds = 1024;

/**
 * Decides on the ids of new requests. Go's clients send ids in rising order and Go's servers insist on it; Rust's async
 * clients number calls in one task and send them in another, so a lower id may come late. An id is accepted once, and
 * late only where it was skipped within the last 1,024 ids.
 */
export class IdWindow {
  #highest = -1;
  readonly #skipped = new Set<number>();

  /** The highest id accepted so far; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether a request with this odd id is to be served; the id is then used up. */
  accept(id: number): boolean {
    if (id <= this.#highest) return this.#skipped.delete(id) && id >= this.#highest - 2 * windowIds;
    if (id !== this.#highest + 2) this.#skip(id);
    this.#highest = id;
    return true;
  }

  #skip(id: number): void {
    for (let low = Math.max(this.#highest + 2, id - 2 * windowIds); low < id; low += 2) this.#skipped.add(low);
    if (this.#skipped.size <= windowIds) return;
    for (const old of this.#skipped) {
      this.#skipped.delete(old);
      if (this.#skipped.size <= windowIds) return;
    }
  }
}
