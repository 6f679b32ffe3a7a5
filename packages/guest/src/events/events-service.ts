// Serves spinbox.services.vmevents.v1.Events on an event bus.
import type { Handlers } from "@guestwire/rpc";
import type { Events } from "@guestwire/vmevents";
import type { EventBus } from "./event-bus.js";

/** The stream of all events, from the moment of the call on, until the guest ends. */
export function createEventsService(bus: EventBus): Handlers<typeof Events> {
  return { stream: (_request, context) => bus.subscribe(context.signal) };
}
