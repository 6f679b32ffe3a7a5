// Virtual time: a queue of what will happen, in order. Nothing happens by itself; the world runs one event after the other.
import type { Clock, Timer } from "./product.js";
import type { SimRandom } from "./random.js";

interface SimEvent {
  readonly at: number;
  // Among events of the same moment; what comes from outside has a random one.
  readonly rank: number;
  readonly order: number;
  readonly task: () => void;
  readonly owner: Owner;
  /** Whether it has happened, or was called off. */
  over: boolean;
}

/** Whose an event is: a timer or a turn of the product's, or something that the simulator does. */
export type Owner = "timer" | "turn" | "world";

/** The clock that the product runs on, and the calendar of the simulated world. */
export class SimClock implements Clock {
  readonly #events: SimEvent[] = [];
  readonly #random: SimRandom;
  readonly #caught: (error: unknown) => void;
  #now = 1_000_000.25;
  #order = 0;
  #timers = 0;

  /** @param caught Told what a task threw that runs before the event loop goes on. */
  constructor(random: SimRandom, caught: (error: unknown) => void) {
    this.#random = random;
    this.#caught = caught;
  }

  /** How many timers of the product wait. */
  get timers(): number {
    return this.#timers;
  }

  /** When the next event is due; Infinity where nothing waits. */
  get nextAt(): number {
    this.#skipCanceled();
    return this.#events[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): Timer {
    // As Node's timers: whole milliseconds, and at least one.
    return this.#add(this.#now + Math.max(1, Math.ceil(ms)), 0.5, task, "timer");
  }

  soon(task: () => void): void {
    process.nextTick(() => {
      try {
        task();
      } catch (error) {
        this.#caught(error);
      }
    });
  }

  later(task: () => void): void {
    this.#add(this.#now, 0.5, task, "turn");
  }

  /** Lets something of the world's happen; its place among other events of the same moment is random. */
  happen(ms: number, task: () => void): Timer {
    return this.#add(this.#now + ms, this.#random.next(), task, "world");
  }

  /** Moves the time without anything happening, as when a virtual machine was suspended. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Takes the next event that is due by `until`, moves the time to it and gives its task. */
  take(until: number): (() => void) | undefined {
    if (this.nextAt > until) return undefined;
    const event = this.#pop() as SimEvent;
    event.over = true;
    if (event.owner === "timer") this.#timers--;
    this.#now = Math.max(this.#now, event.at);
    return event.task;
  }

  #add(at: number, rank: number, task: () => void, owner: Owner): Timer {
    const event: SimEvent = { at, rank, order: this.#order++, task, owner, over: false };
    if (owner === "timer") this.#timers++;
    this.#push(event);
    return {
      cancel: () => {
        if (event.over) return;
        event.over = true;
        if (owner === "timer") this.#timers--;
      },
    };
  }

  #skipCanceled(): void {
    while (this.#events[0]?.over) this.#pop();
  }

  // A binary heap.
  #push(event: SimEvent): void {
    const events = this.#events;
    let at = events.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, events[parent] as SimEvent)) break;
      events[at] = events[parent] as SimEvent;
      at = parent;
    }
    events[at] = event;
  }

  #pop(): SimEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1] as SimEvent, events[child] as SimEvent)) child++;
      if (!before(events[child] as SimEvent, last)) break;
      events[at] = events[child] as SimEvent;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.rank !== b.rank ? a.rank < b.rank : a.order < b.order;
}
