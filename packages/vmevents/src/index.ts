// The public face of @guestwire/vmevents: the stream of container events out of a guest, with the envelope they come in.

export { type Envelope, EnvelopeSchema } from "@guestwire/types/containerd";
export { Events } from "./gen/spinbox/services/vmevents/v1/events_pb.js";
export {
  createEventsClient,
  type EventsClient,
  type EventsHandler,
  EventsMethods,
  registerEvents,
} from "./gen/spinbox/services/vmevents/v1/events_rpc.js";
