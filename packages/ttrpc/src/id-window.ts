// Which stream ids a client may still use. No frames, no answers.

// How far back a skipped id may still come. Rust's async client with 20,000 calls at once was seen 3,345 ids behind.
const windowIds = 16_384;

/**
 * Decides on the ids of new requests. Go's clients send ids in rising order and Go's servers insist on it; Rust's async
 * clients number calls in one task and send them in another, so a lower id may come late. An id is accepted once, and
 * late only where it was skipped and less than 16,384 ids ago.
 */
export class IdWindow {
  #highest = -1;
  // One bit for each id of the window: whether it was skipped. 2 KiB, which only clients need that skip ids.
  #skipped: Uint32Array | undefined;

  /** The highest id accepted so far; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether a request with this odd id is to be served; the id is then used up. */
  accept(id: number): boolean {
    const skipped = this.#skipped;
    if (id <= this.#highest) {
      if (skipped === undefined || this.#highest - id >= 2 * windowIds) return false;
      const [word, bit] = place(id);
      const late = ((skipped[word] as number) & bit) !== 0;
      if (late) (skipped[word] as number) &= ~bit;
      return late;
    }
    if (id !== this.#highest + 2) this.#skip(id);
    else if (skipped !== undefined) {
      // What had this place lies a whole window back now.
      const [word, bit] = place(id);
      (skipped[word] as number) &= ~bit;
    }
    this.#highest = id;
    return true;
  }

  #skip(id: number): void {
    this.#skipped ??= new Uint32Array(windowIds / 32);
    const skipped = this.#skipped;
    let low = Math.max(this.#highest + 2, id - 2 * (windowIds - 1));
    // A word at a time: a client that jumps with each request must not cost much.
    while (low < id) {
      const at = (low >>> 1) % windowIds;
      const count = Math.min(32 - (at & 31), (id - low) / 2);
      (skipped[at >>> 5] as number) |= count === 32 ? -1 : ((1 << count) - 1) << (at & 31);
      low += 2 * count;
    }
    const [word, bit] = place(id);
    (skipped[word] as number) &= ~bit;
  }
}

/** Where the window has an id. */
function place(id: number): [word: number, bit: number] {
  const at = (id >>> 1) % windowIds;
  return [at >>> 5, 1 << (at & 31)];
}
