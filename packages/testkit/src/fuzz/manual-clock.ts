// Time and turns of the event loop that move only when they are told to: a run takes no real time and is always the same.
import type { Clock, Timer } from "../../../ttrpc/src/link.js";

interface Waiting extends Timer {
  readonly at: number;
  readonly task: () => void;
}

/** A clock without an event loop. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  #soon: (() => void)[] = [];
  #later: (() => void)[] = [];
  readonly #timers = new Set<Waiting>();

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): Timer {
    const timer: Waiting = { at: this.#now + ms, task, cancel: () => void this.#timers.delete(timer) };
    this.#timers.add(timer);
    return timer;
  }

  soon(task: () => void): void {
    this.#soon.push(task);
  }

  later(task: () => void): void {
    this.#later.push(task);
  }

  /** Runs what waits for its turn. @returns Whether there was anything. */
  turn(): boolean {
    const now = this.#soon;
    this.#soon = [];
    for (const task of now) task();
    const then = this.#later;
    this.#later = [];
    for (const task of then) task();
    return now.length + then.length > 0;
  }

  /** Moves the time and runs what is due, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: Waiting | undefined;
      for (const timer of this.#timers)
        if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
    this.#now = until;
  }
}
