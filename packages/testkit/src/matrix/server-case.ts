// What a case with a peer's server is given, and what is special about such a server. Runs none.
import { equal, ok } from "node:assert/strict";
import { type Channel, type Client, type Code, RpcError } from "@guestwire/rpc";
import type { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import type { PeerProcess } from "./peer-process.js";
import type { Tap } from "./tap.js";

/** What is special about a server. */
export interface ServerTraits {
  /** Whether it has streams. */
  readonly streams: boolean;
  /** How it answers a service that it does not have. */
  readonly unknownService: Code;
  /** How it answers a method that it does not have. */
  readonly unknownMethod: Code;
  /** How it answers a request over the limit. */
  readonly requestAbove: Code;
  /** How a call ends whose reply is over the limit; `closes`: it closes the connection. */
  readonly replyAbove: Code | "closes";
  /** Whether a gentle shutdown cuts calls that run. */
  readonly shutdownCuts: boolean;
  /** Whether it crashes on data for a stream that it has ended. */
  readonly lateDataCrashes: boolean;
}

/** A peer's server that runs, and a connection to it. */
export interface ServerUnderTest {
  readonly process: PeerProcess;
  /** Its own socket file. */
  readonly path: string;
  /** The relay in front of it, through which the channel goes. */
  readonly tap: Tap;
  readonly traits: ServerTraits;
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
}

/** A case. Throws what was otherwise than expected. */
export type ServerCase = (peer: ServerUnderTest) => Promise<void>;

/** The error of a call that must fail. */
export async function failure(call: PromiseLike<unknown>): Promise<RpcError> {
  const ended = await Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => RpcError.from(error),
  );
  ok(ended, "the call did not fail");
  return ended;
}

/** Makes one plain call, to see that connection and server are as they should be. */
export async function works({ client }: Pick<ServerUnderTest, "client">): Promise<void> {
  equal((await client.echo({ text: "after" })).text, "after");
}
