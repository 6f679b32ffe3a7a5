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
}

// setTimeout runs longer ones at once.
const longestMs = 2 ** 31 - 1;

/** Node's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.min(longestMs, Math.ceil(ms)));
    return { cancel: () => clearTimeout(timer) };
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
