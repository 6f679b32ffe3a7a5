// Hands every event to everybody who listens at that moment. No filter, no replay, no delay for the publisher.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@guestwire/rpc";
import { type Envelope, EnvelopeSchema } from "@guestwire/types/containerd";
import { packTaskEvent, type TaskEvent, taskTopics } from "@guestwire/types/events";
import type { GuestClock } from "../clock.js";
import { failure } from "../errors.js";
import { eventBacklog } from "../limits.js";
import { Mailbox } from "../mailbox.js";

/** The events of one guest. */
export interface EventBus {
  /** Publishes an event in a containerd namespace, under its type's topic. */
  publish(namespace: string, event: TaskEvent): void;
  /** Everything that is published from now on. A reader that lags by 4,096 events fails with `ResourceExhausted`. */
  subscribe(signal?: AbortSignal): AsyncIterableIterator<Envelope>;
  /** Ends all subscriptions after what they still have to read. */
  close(): void;
}

/** Makes an event bus without subscribers. */
export function createEventBus(clock: GuestClock): EventBus {
  const readers = new Set<Mailbox<Envelope>>();
  let closed = false;
  return {
    publish(namespace, event) {
      if (readers.size === 0) return;
      const envelope = create(EnvelopeSchema, {
        timestamp: timestampFromMs(clock.now()),
        namespace,
        topic: taskTopics.get(event.$typeName) ?? "",
        event: packTaskEvent(event),
      });
      for (const reader of readers) {
        if (reader.size >= eventBacklog) reader.fail(lagging());
        else reader.put(envelope);
      }
    },
    subscribe(signal) {
      // A signal that has fired already makes the reader leave before there is one.
      let reader: Mailbox<Envelope> | undefined;
      const left = (): void => void (reader !== undefined && readers.delete(reader));
      reader = new Mailbox<Envelope>({ left }, signal);
      if (closed) reader.end();
      else if (!signal?.aborted) readers.add(reader);
      return reader;
    },
    close() {
      closed = true;
      for (const reader of [...readers]) reader.end();
    },
  };
}

function lagging(): Error {
  return failure(
    Code.ResourceExhausted,
    `${eventBacklog} events wait to be read; subscribe again and ask for the state of each task`,
  );
}
