// The real clock of sessions: Node's own time and event loop.
import { systemClock as time } from "@guestwire/rpc/transport";
import type { Clock } from "./link.js";

/** Node's own time and event loop. */
export const systemClock: Clock = {
  ...time,
  soon: (task) => process.nextTick(task),
  later: (task) => setImmediate(task),
};
