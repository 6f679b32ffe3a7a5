// The real clock. The only place of the transport that uses timers.
import type { Clock } from "./link.js";

// setTimeout runs longer ones at once.
const longestMs = 2 ** 31 - 1;

/** Node's own time and event loop. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.min(longestMs, Math.ceil(ms)));
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (task) => process.nextTick(task),
  later: (task) => setImmediate(task),
};
