// Calls that were not sent yet, in order. Linked through the calls themselves, like the wheel's: with thousands of them a Set
// costs half of the calls per second, as it looks through the places of those that have left and is copied again and again.
import type { ClientCall } from "./client-call.js";

/** A queue of calls that each of them may leave at any time. A call is in one queue at most. */
export class WaitingCalls {
  #first: ClientCall | undefined;
  #last: ClientCall | undefined;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Whose turn is next. */
  get first(): ClientCall | undefined {
    return this.#first;
  }

  /** All that wait now, in order. */
  all(): ClientCall[] {
    const calls: ClientCall[] = [];
    for (let call = this.#first; call !== undefined; call = call.waitsBefore) calls.push(call);
    return calls;
  }

  /** Adds a call behind all others. */
  add(call: ClientCall): void {
    call.waits = true;
    call.waitsBehind = this.#last;
    if (this.#last === undefined) this.#first = call;
    else this.#last.waitsBefore = call;
    this.#last = call;
    this.#size++;
  }

  /** Takes a call out; does nothing where it is not in. */
  delete(call: ClientCall): void {
    if (!call.waits) return;
    const { waitsBehind, waitsBefore } = call;
    if (waitsBehind === undefined) this.#first = waitsBefore;
    else waitsBehind.waitsBefore = waitsBefore;
    if (waitsBefore === undefined) this.#last = waitsBehind;
    else waitsBefore.waitsBehind = waitsBehind;
    call.waits = false;
    call.waitsBehind = undefined;
    call.waitsBefore = undefined;
    this.#size--;
  }
}
