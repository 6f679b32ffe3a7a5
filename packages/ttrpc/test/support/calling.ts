// Our client with a raw server behind it, on a clock that stands still, inside this process.
import { type Channel, type Client, createClient, type RpcError } from "@guestwire/rpc";
import { EchoService, FakeClock, type RawPeer, rawPair, turns } from "@guestwire/testkit";
import { expect } from "vitest";
import { openChannel } from "../../src/channel.js";
import type { ConnectOptions } from "../../src/connect-options.js";
import { socketLink } from "../../src/socket-link.js";

/** A client under test. */
export interface Calling {
  readonly clock: FakeClock;
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
  /** The raw ends of the connections so far, oldest first. */
  readonly peers: readonly RawPeer[];
  /** The raw end of the newest connection; waits for the first. */
  peer(): Promise<RawPeer>;
  /** Closes the channel and checks that nothing is left of it. */
  end(): Promise<void>;
}

/** Opens a channel whose connections the test answers. @param dial Called before each attempt; may throw or wait. */
export function startCalling(
  options: ConnectOptions = {},
  dial?: (attempt: number) => unknown,
  firstId?: number,
): Calling {
  const clock = new FakeClock();
  const peers: RawPeer[] = [];
  const dialer = {
    target: "raw:",
    async dial() {
      await dial?.(attempts++);
      const { peer, stream } = rawPair();
      peers.push(peer);
      return socketLink(stream, { kind: "raw", address: "raw:" });
    },
  };
  let attempts = 0;
  const channel = openChannel(dialer, options, clock, firstId);
  return {
    clock,
    channel,
    client: createClient(EchoService, channel),
    peers,
    async peer() {
      await turns();
      return peers[peers.length - 1] as RawPeer;
    },
    async end() {
      for (const peer of peers) peer.destroy();
      const closed = channel.close();
      await clock.elapse(10_000);
      await closed;
      await turns();
      expect(clock.pending).toBe(0);
    },
  };
}

/** The error of a call that must fail. */
export async function failure(call: PromiseLike<unknown>): Promise<RpcError> {
  return Promise.resolve(call).then(
    (value) => {
      throw new Error(`the call did not fail; it gave ${JSON.stringify(value)}`);
    },
    (error: RpcError) => error,
  );
}
