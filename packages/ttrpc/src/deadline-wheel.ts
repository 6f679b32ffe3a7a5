// Deadlines of many calls on one timer. Adding and removing costs a few writes, where a timer each costs 0.6 µs.
import type { Clock, Timer } from "./link.js";

const slotMs = 8;
const slotCount = 512;

/** Something that has a deadline; it carries the wheel's links itself, so that nothing is allocated. */
export interface Deadlined {
  /** When, in milliseconds of the clock. Not changed while it is in the wheel. */
  deadlineAt: number;
  /** @internal */
  wheelNext: Deadlined | undefined;
  /** @internal */
  wheelPrevious: Deadlined | undefined;
  /** @internal -1 while it is in no wheel. */
  wheelSlot: number;
  /** Called once, at the deadline or up to one slot (8 ms) after it, never before. */
  deadlinePassed(): void;
}

const wheels = new WeakMap<Clock, DeadlineWheel>();

/** The wheel of a clock. All connections of a process share one: each its own would take 4 KiB, and a timer, of every idle one. */
export function wheelOf(clock: Clock): DeadlineWheel {
  let wheel = wheels.get(clock);
  if (wheel === undefined) {
    wheel = new DeadlineWheel(clock);
    wheels.set(clock, wheel);
  }
  return wheel;
}

/** A hashed timing wheel: 512 slots of 8 ms; what lies further out stays in its slot for another round. */
export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #slots: (Deadlined | undefined)[] = new Array(slotCount).fill(undefined);
  #size = 0;
  #timer: Timer | undefined;
  // The tick number that the timer is set for.
  #wakeTick = 0;
  // All ticks up to this one are done.
  #doneTick: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#doneTick = Math.floor(clock.now() / slotMs);
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Puts an entry in; one whose time has passed is called in the next tick. */
  add(entry: Deadlined): void {
    // A timer may outlast its clock, as a test's fake one: all connections would wait for it, and its time may be any.
    const lost = this.#timer?.lost === true;
    if (lost) this.#timer = undefined;
    if (lost || this.#size === 0) this.#doneTick = Math.floor(this.#clock.now() / slotMs);
    // Rounded up, so that it is never called before its time.
    const tick = Math.max(this.#doneTick + 1, Math.ceil(entry.deadlineAt / slotMs));
    const slot = tick % slotCount;
    const first = this.#slots[slot];
    entry.wheelSlot = slot;
    entry.wheelNext = first;
    entry.wheelPrevious = undefined;
    if (first !== undefined) first.wheelPrevious = entry;
    this.#slots[slot] = entry;
    this.#size++;
    const wake = Math.min(tick, this.#doneTick + slotCount);
    if (this.#timer === undefined || wake < this.#wakeTick) this.#arm(wake);
  }

  /** Takes an entry out; does nothing where it is in no wheel. */
  remove(entry: Deadlined): void {
    if (entry.wheelSlot < 0) return;
    if (entry.wheelPrevious === undefined) this.#slots[entry.wheelSlot] = entry.wheelNext;
    else entry.wheelPrevious.wheelNext = entry.wheelNext;
    if (entry.wheelNext !== undefined) entry.wheelNext.wheelPrevious = entry.wheelPrevious;
    entry.wheelNext = undefined;
    entry.wheelPrevious = undefined;
    entry.wheelSlot = -1;
    this.#size--;
  }

  /** Stops the timer where nothing waits. Otherwise it stops by itself, at the latest when it next fires. */
  settle(): void {
    if (this.#size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(tick: number): void {
    this.#timer?.cancel();
    this.#wakeTick = tick;
    const timer = this.#clock.after(Math.max(1, tick * slotMs - this.#clock.now()), () => {
      // One that was given up as lost may run after all.
      if (this.#timer === timer) this.#wake();
    });
    this.#timer = timer;
  }

  #wake(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const tick = Math.floor(now / slotMs);
    const due: Deadlined[] = [];
    const doneBefore = this.#doneTick;
    // After a long pause one round over all slots finds everything.
    for (let t = Math.max(this.#doneTick + 1, tick - slotCount + 1); t <= tick; t++) {
      for (let entry = this.#slots[t % slotCount]; entry !== undefined; entry = entry.wheelNext) {
        if (entry.deadlineAt <= now) due.push(entry);
      }
    }
    this.#doneTick = Math.max(this.#doneTick, tick);
    let thrown = true;
    try {
      for (const entry of due) {
        // An earlier one of this batch may have taken it out.
        if (entry.wheelSlot < 0) continue;
        this.remove(entry);
        entry.deadlinePassed();
      }
      thrown = false;
    } finally {
      // What one of them throws must not stop the others' time: those that are left are looked for again, at once.
      if (thrown) this.#doneTick = doneBefore;
      this.#armNext();
    }
  }

  #armNext(): void {
    if (this.#size === 0) return;
    // One of them may have added an entry further out than the next one, and armed the timer for it.
    const next = this.#nextTick();
    if (this.#timer === undefined || next < this.#wakeTick) this.#arm(next);
  }

  #nextTick(): number {
    for (let t = this.#doneTick + 1; t < this.#doneTick + slotCount; t++) {
      if (this.#slots[t % slotCount] !== undefined) return t;
    }
    return this.#doneTick + slotCount;
  }
}
