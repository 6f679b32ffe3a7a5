// Tells containerd what happens, over its ttrpc socket: one event after the other, as their order means something.
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { packTaskEvent, type TaskEvent, taskTopics } from "@guestwire/types/events";
import { Events } from "@guestwire/types/events-ttrpc";

/** Where events go. */
export interface Publisher {
  publish(event: TaskEvent): void;
  /** Waits until all are sent, and closes the connection. */
  close(): Promise<void>;
}

/**
 * Makes it.
 *
 * @param socket The path in `TTRPC_ADDRESS`.
 */
export function createPublisher(socket: string, namespace: string): Publisher {
  const channel = connect(`unix://${socket}`, {
    metadata: { "containerd-namespace-ttrpc": namespace },
    // containerd may be away for a moment, as when it is upgraded.
    waitForReady: true,
    timeoutMs: 5_000,
  });
  const client = createClient(Events, channel);
  let last: Promise<unknown> = Promise.resolve();
  return {
    publish(event) {
      const topic = taskTopics.get(event.$typeName) as string;
      const envelope = { timestamp: timestampNow(), namespace, topic, event: packTaskEvent(event) };
      last = last
        .then(() => client.forward({ envelope }))
        .catch((error: Error) => console.error(`the event ${topic} is lost: ${error.message}`));
    },
    async close() {
      await last;
      await channel.close();
    },
  };
}
