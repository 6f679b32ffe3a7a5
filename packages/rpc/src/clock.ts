// Time as everything that waits takes it, so that a test can hold it still. No turns of the event loop here.

/** Time. */
export interface Clock {
  /** Milliseconds; only goes forward. */
  now(): number;
  /** Runs `task` once after `ms` milliseconds. */
  after(ms: number, task: () => void): Timer;
}

/** A task that waits for its time. */
export interface Timer {
  /** Makes it not run. */
  cancel(): void;
  /** Whether it may never run as its clock was replaced, as by the fake timers of a test, or these by the real ones. Default false. */
  readonly lost?: boolean;
}

// setTimeout runs longer ones at once.
const longestMs = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #madeBy = setTimeout;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number, task: () => void) {
    this.#timer = setTimeout(task, Math.min(longestMs, Math.ceil(ms)));
  }

  get lost(): boolean {
    return this.#madeBy !== setTimeout;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** Node's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, task) {
    return new SystemTimer(ms, task);
  },
};

/** Waits for so many milliseconds, or until the signal fires; never rejects. */
export function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal.addEventListener("abort", done);
  });
}
