// What the connections of one server have in common: services, bounds, time, and the count of running handlers.
import type { Router } from "@guestwire/rpc";
import type { MethodRoute } from "@guestwire/rpc/transport";
import type { DeadlineWheel } from "./deadline-wheel.js";
import type { Limits } from "./limits.js";
import type { Clock } from "./link.js";
import type { ServerMethod } from "./server-methods.js";
import type { ServerSession } from "./server-session.js";

/** What all sessions of one server share. */
export interface ServerShared {
  readonly router: Router;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly wheel: DeadlineWheel;
  /** Whether guestwire.control.v1 is answered. */
  readonly control: boolean;
  /** Methods that were prepared. */
  readonly known: WeakMap<MethodRoute, ServerMethod>;
  /** How many handlers run, over all connections. */
  running: number;
  /** Told when a session is over and its socket closed. */
  gone(session: ServerSession): void;
}
