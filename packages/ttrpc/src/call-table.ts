// Calls by stream id: a ring for the usual case, a map for what does not fit. Knows nothing of what a call is.

/** Something under a stream id. */
export interface Identified {
  readonly id: number;
}

/**
 * Finds calls by id. Ids rise by two and most calls are short, so a slot of a power-of-two ring is nearly always free
 * (11 ns for set, get and delete, against 102 in a Map, and no garbage); a long call that is still in its slot when the
 * ids come round sends the newer one to the map.
 */
export class CallTable<T extends Identified> implements Iterable<T> {
  #ring: (T | undefined)[] = new Array(16).fill(undefined);
  #inRing = 0;
  // Made with the first call that does not fit: an empty map takes 170 bytes of each idle connection.
  #overflow: Map<number, T> | undefined;

  /** How many calls are in the table. */
  get size(): number {
    return this.#overflow === undefined ? this.#inRing : this.#inRing + this.#overflow.size;
  }

  /** Puts a call in. Its id must not be in the table. */
  add(call: T): void {
    if (this.#inRing * 2 >= this.#ring.length) this.#widen();
    const slot = (call.id >>> 1) & (this.#ring.length - 1);
    if (this.#ring[slot] === undefined) {
      this.#ring[slot] = call;
      this.#inRing++;
    } else {
      this.#overflow ??= new Map();
      this.#overflow.set(call.id, call);
    }
  }

  /** The call of an id. */
  get(id: number): T | undefined {
    const found = this.#ring[(id >>> 1) & (this.#ring.length - 1)];
    if (found !== undefined && found.id === id) return found;
    return this.#overflow?.get(id);
  }

  /** Takes a call out; does nothing where it is not in. */
  remove(call: T): void {
    const slot = (call.id >>> 1) & (this.#ring.length - 1);
    if (this.#ring[slot] === call) {
      this.#ring[slot] = undefined;
      this.#inRing--;
    } else if (this.#overflow?.get(call.id) === call) this.#overflow.delete(call.id);
  }

  /** All calls, the ring's first. Calls may be taken out while iterating. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const call of [...this.#ring]) if (call !== undefined) yield call;
    if (this.#overflow !== undefined) yield* [...this.#overflow.values()];
  }

  #widen(): void {
    const calls = [...this];
    this.#ring = new Array(this.#ring.length * 2).fill(undefined);
    this.#inRing = 0;
    this.#overflow = undefined;
    for (const call of calls) this.add(call);
  }
}
