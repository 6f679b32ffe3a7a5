// What the calls of one server have in common: its methods, its bounds, and how many handlers run.
import type { Peer, Router, RpcError } from "@guestwire/rpc";
import type { Codec } from "@guestwire/rpc/codec";
import type { MethodRoute } from "@guestwire/rpc/transport";
import type { Limits } from "./limits.js";
import type { Deserializer } from "./serialize.js";

/** A route with what this wire needs beside it. */
export interface ServerMethod extends MethodRoute {
  readonly decode: Deserializer;
  readonly output: Codec;
}

/** One connection of a server, as its calls see it. */
export interface ServerConnection {
  readonly peer: Peer;
  /** How many of its handlers run. */
  running: number;
}

/** What all calls of one server share. */
export interface ServerShared {
  readonly router: Router;
  readonly limits: Limits;
  /** By path. */
  readonly methods: Map<string, ServerMethod>;
  /** How many handlers run, over all connections. */
  running: number;
  /** Why calls that are cut off now are; `undefined` while the server goes on. */
  stopped: RpcError | undefined;
}
