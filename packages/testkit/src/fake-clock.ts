// Time that moves only when a test says so. Turns of the event loop are the real ones, as promises depend on them.

interface FakeTimer {
  readonly at: number;
  readonly task: () => void;
}

/** A clock for sessions, channels and servers under test. */
export class FakeClock {
  #now: number;
  readonly #timers = new Set<FakeTimer>();

  /** @param start The time at the beginning, in milliseconds. */
  constructor(start = 1_000_000) {
    this.#now = start;
  }

  /** How many timers wait. 0 when whatever uses the clock holds nothing. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Runs `task` once after `ms` milliseconds of this clock. */
  after(ms: number, task: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, task };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Runs `task` before the event loop goes on. */
  soon(task: () => void): void {
    process.nextTick(task);
  }

  /** Runs `task` after other work had its turn. */
  later(task: () => void): void {
    setImmediate(task);
  }

  /** Moves the time and runs what is due, in order, without giving promises their turn between. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let timer = this.#due(until); timer !== undefined; timer = this.#due(until)) this.#run(timer);
    this.#now = until;
  }

  /** As {@link FakeClock.advance}, and all that follows from each timer happens before the next one. */
  async elapse(ms: number): Promise<void> {
    const until = this.#now + ms;
    await turns();
    for (let timer = this.#due(until); timer !== undefined; timer = this.#due(until)) {
      this.#run(timer);
      await turns();
    }
    this.#now = until;
    await turns();
  }

  #run(timer: FakeTimer): void {
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, timer.at);
    timer.task();
  }

  #due(until: number): FakeTimer | undefined {
    let due: FakeTimer | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (due === undefined || timer.at < due.at)) due = timer;
    return due;
  }
}

/**
 * Lets the event loop turn a few times: with in-process streams and a fake clock, everything that can happen has then
 * happened.
 */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
