// Our server with a raw client in front of it, on a clock that stands still, inside this process.
import type { Handlers } from "@guestwire/rpc";
import { EchoService, echoHandlers, FakeClock, type RawPeer, rawPair, turns } from "@guestwire/testkit";
import { expect } from "vitest";
import { type ServeOptions, TtrpcServer } from "../../src/server.js";

/** A server under test. */
export interface Serving {
  readonly clock: FakeClock;
  readonly server: TtrpcServer;
  /** The first connection. */
  readonly peer: RawPeer;
  /** One more connection. */
  connect(): RawPeer;
  /** Closes the server and checks that nothing is left of it. */
  end(): Promise<void>;
}

/** Starts a server of the echo service. */
export function startServing(
  handlers: Partial<Handlers<typeof EchoService>> = echoHandlers,
  options: ServeOptions = {},
): Serving {
  const clock = new FakeClock();
  const server = new TtrpcServer(options, clock).service(EchoService, handlers);
  const connect = (): RawPeer => {
    const { peer, stream } = rawPair();
    server.attach(stream);
    return peer;
  };
  const peer = connect();
  return {
    clock,
    server,
    peer,
    connect,
    async end() {
      const closed = server.close({ graceMs: 1000 });
      await clock.elapse(1000);
      await closed;
      await turns();
      expect({ connections: server.connections, timers: clock.pending }).toEqual({ connections: 0, timers: 0 });
    },
  };
}

/** Handlers whose calls the test answers, and what they saw. */
export interface Controlled {
  readonly handlers: Partial<Handlers<typeof EchoService>>;
  /** What happened, in order: `echo a`, `chat got a`, `chat end`, `chat error 1`, `echo aborted 4`. */
  readonly events: string[];
  /** Lets the calls that wait go on: unary calls answer, streams end. */
  release(): void;
}

/**
 * `echo` and `join` answer when they are released; `chat` answers each request and, after the last, waits to be released;
 * `split` sends one message and waits to be released.
 */
export function controlled(): Controlled {
  const events: string[] = [];
  const waiting: (() => void)[] = [];
  const released = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const watch = (name: string, signal: AbortSignal): void => {
    signal.addEventListener("abort", () => events.push(`${name} aborted ${signal.reason.code}`), { once: true });
  };
  async function* received(name: string, requests: AsyncIterable<{ text: string }>): AsyncIterable<{ text: string }> {
    try {
      for await (const request of requests) {
        events.push(`${name} got ${request.text}`);
        yield { text: request.text };
      }
      events.push(`${name} end`);
    } catch (error) {
      events.push(`${name} error ${(error as { code: number }).code}`);
      throw error;
    }
  }
  return {
    events,
    release: () => {
      for (const go of waiting.splice(0)) go();
    },
    handlers: {
      async echo({ text }, { signal }) {
        events.push(`echo ${text}`);
        watch("echo", signal);
        await released();
        return { text };
      },
      async *split(_, { signal }) {
        events.push("split");
        watch("split", signal);
        yield { text: "first" };
        await released();
      },
      async join(requests, { signal }) {
        watch("join", signal);
        let text = "";
        for await (const one of received("join", requests)) text += one.text;
        await released();
        return { text };
      },
      async *chat(requests, { signal }) {
        watch("chat", signal);
        yield* received("chat", requests);
        await released();
      },
    },
  };
}
