// What the parts of the channel suite share: opening a server with a channel to it, and what tests wait for instead of time.
import { getEventListeners } from "node:events";
import {
  type CallDefaults,
  type Channel,
  type Client,
  createClient,
  type Handlers,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { echoHandlers } from "../echo-handlers.js";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";

/** Options of both sides of a channel under test. */
export interface OpenOptions {
  readonly client?: CallDefaults;
  readonly server?: ServiceOptions;
}

/** A way to make channels: what differs between them, and nothing else. */
export interface ChannelKind {
  readonly name: string;
  /**
   * Whether metadata travels as HTTP/2 headers: visible ASCII only, several values of a key joined to one, no order among
   * different keys, and a `user-agent` that nobody set. Default false: ordered pairs of any text.
   */
  readonly headers?: boolean;
  /** Serves these services and opens a channel to them. */
  open(routes: (registry: ServiceRegistry) => void, options: OpenOptions): Promise<OpenChannel>;
}

/** An open channel and the end of what is behind it. */
export interface OpenChannel {
  readonly channel: Channel;
  /** Ends the server; the channel is closed by then. */
  close(): Promise<void>;
}

/** A channel to the echo service, with a client. */
export interface Opened extends AsyncDisposable {
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
}

/** Opens a channel to the echo service, some of whose handlers are the test's own. */
export type Open = (handlers?: Partial<Handlers<typeof EchoService>>, options?: OpenOptions) => Promise<Opened>;

/** How a kind of channel is opened in tests. */
export function opener(kind: ChannelKind): Open {
  return async (handlers = {}, options = {}) => {
    const opened = await kind.open(
      (registry) => void registry.service(EchoService, { ...echoHandlers, ...handlers }),
      options,
    );
    const { channel } = opened;
    return {
      channel,
      client: createClient(EchoService, channel),
      async [Symbol.asyncDispose]() {
        await channel.close();
        await opened.close();
      },
    };
  };
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** How many listeners wait for a signal. */
export function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

/** Resolves with the reason when the signal has fired. */
export function fired(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** Reads a stream to its end. */
export async function all<T>(messages: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

/** Waits for the rejection of a promise and gives what it was rejected with. */
export async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
