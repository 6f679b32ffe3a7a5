// containerd.services.events.ttrpc.v1: how shims hand events to containerd.
export {
  Events,
  type ForwardRequest,
  ForwardRequestSchema,
} from "../gen/containerd/services/events/ttrpc/v1/events_pb.js";
export {
  createEventsClient,
  type EventsClient,
  type EventsHandler,
  EventsMethods,
  registerEvents,
} from "../gen/containerd/services/events/ttrpc/v1/events_rpc.js";
