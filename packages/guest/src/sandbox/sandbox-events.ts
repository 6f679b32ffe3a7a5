// What happens to sandboxes, for all who listen at that moment. No replay, no delay for whom it happens to; who reads too
// slowly loses the oldest, as the contract says.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SandboxEventSchema } from "@guestwire/sandbox";
import type { GuestClock } from "../clock.js";
import { Mailbox } from "../mailbox.js";
import { sandboxEventBacklog } from "./limits.js";

/** What can happen. */
export type SandboxAction = "created" | "ready" | "running" | "idle" | "stopping" | "stopped" | "failed" | "removed";

/** An event as a message. */
export type SandboxEventInit = MessageInitShape<typeof SandboxEventSchema>;

/** Which events are wanted; an empty part means all. */
export interface SandboxEventFilter {
  readonly id: string;
  readonly action: string;
}

/** The events of all sandboxes of a guest. */
export interface SandboxEvents {
  publish(sandboxId: string, action: SandboxAction, attributes?: Readonly<Record<string, string>>): void;
  /** What happens from now on. @param signal Ends it. */
  subscribe(filter: SandboxEventFilter, signal?: AbortSignal): AsyncIterableIterator<SandboxEventInit>;
  /** Ends all subscriptions after what they still have to read. */
  close(): void;
}

/** Makes them, without subscribers. */
export function createSandboxEvents(clock: GuestClock): SandboxEvents {
  const readers = new Map<Mailbox<SandboxEventInit>, SandboxEventFilter>();
  let closed = false;
  return {
    publish(sandboxId, action, attributes = {}) {
      const event = { sandboxId, action, attributes, timestamp: BigInt(Math.floor(clock.now())) * 1_000_000n };
      for (const [reader, filter] of readers) {
        if (filter.id !== "" && filter.id !== sandboxId) continue;
        if (filter.action !== "" && filter.action !== action) continue;
        // Takes the oldest out: how things stand now is worth more than how they came there.
        if (reader.size >= sandboxEventBacklog) void reader.next();
        reader.put(event);
      }
    },
    subscribe(filter, signal) {
      // A signal that has fired already makes the reader leave before there is one.
      let reader: Mailbox<SandboxEventInit> | undefined;
      const left = (): void => void (reader !== undefined && readers.delete(reader));
      reader = new Mailbox<SandboxEventInit>({ left }, signal);
      if (closed) reader.end();
      else if (!signal?.aborted) readers.set(reader, filter);
      return reader;
    },
    close() {
      closed = true;
      for (const reader of [...readers.keys()]) reader.end();
    },
  };
}
