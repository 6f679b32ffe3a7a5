// A subscription to containerd's events over gRPC, kept as a list that tests wait on.
import { createClient, RpcError } from "@guestwire/rpc";
import { type Envelope, Events } from "../gen/containerd/services/events/v1/events_pb.js";
import type { Containerd } from "./daemon.js";

/** The events of the test's namespace since the subscription. Disposing it ends the subscription. */
export interface EventLog extends AsyncDisposable {
  readonly events: readonly Envelope[];
  /** Waits for an event. Fails when the subscription ends before one comes. */
  event(matches: (event: Envelope) => boolean): Promise<Envelope>;
  /** Resolves with the error that ended the subscription; `undefined` when we ended it. */
  readonly ended: Promise<RpcError | undefined>;
}

// containerd answers nothing until the first event, so that only an event of one's own tells that the subscription holds.
const marker = "/guestwire/subscribed";

/** Subscribes, and returns when the subscription holds. */
export async function subscribe(daemon: Containerd): Promise<EventLog> {
  const client = createClient(Events, daemon.grpc);
  const stream = client.subscribe({ filters: [`namespace==${daemon.namespace}`] }, { timeoutMs: 0 });
  const events: Envelope[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  let marked = false;
  let over = false;
  const read = async (): Promise<RpcError | undefined> => {
    try {
      for await (const event of stream) {
        if (event.topic === marker) marked = true;
        else events.push(event);
        wake();
      }
      return undefined;
    } catch (error) {
      return RpcError.from(error);
    } finally {
      over = true;
      wake();
    }
  };
  const ended = read();
  while (!marked && !over) await client.publish({ topic: marker, event: { typeUrl: "guestwire.Marker" } });
  return {
    events,
    ended,
    async event(matches) {
      for (;;) {
        const found = events.find(matches);
        if (found !== undefined) return found;
        if (over) throw new Error(`the subscription has ended: ${await ended}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    async [Symbol.asyncDispose]() {
      await stream.return();
      await ended;
    },
  };
}
