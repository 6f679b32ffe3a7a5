// Opens a client's socket for an address. One attempt, within a time limit; trying again is the channel's affair.
import { Duplex } from "node:stream";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import {
  type Address,
  dialAddress,
  formatAddress,
  givenStream,
  parseAddress,
  takesMemory,
} from "@guestwire/rpc/transport";
import type { Link } from "./link.js";
import { ReceiveMemory } from "./receive-memory.js";
import { socketLink } from "./socket-link.js";

/** Opens a connection. */
export interface Dialer {
  /** Where it leads to, for errors and logs. */
  readonly target: string;
  /** @throws {RpcError} Code.Unavailable, reason `connect_failed`. */
  dial(signal: AbortSignal): Promise<Link>;
}

/**
 * What `connect()` takes: an address, an open stream, or a function that opens one; its signal fires when nobody waits for
 * that stream any more.
 */
export type ConnectTarget = string | Duplex | ((signal: AbortSignal) => Duplex | Promise<Duplex>);

/** Makes a dialer of what the user gave. @throws {RpcError} when an address is wrong. */
export function dialerFor(target: ConnectTarget): Dialer {
  if (typeof target === "string") return addressDialer(parseAddress(target));
  if (typeof target === "function") return streamDialer(target);
  if (target instanceof Duplex) return streamDialer(once(() => target));
  throw new RpcError(Code.InvalidArgument, "connect() takes an address, a Duplex, or a function that opens a Duplex");
}

function addressDialer(address: Address): Dialer {
  const target = formatAddress(address);
  const peer: Peer = { kind: address.kind, address: target };
  if (address.kind === "vsock" && address.cid === "any") {
    throw new RpcError(Code.InvalidArgument, `${target}: "any" is where to listen; to connect, name a cid`);
  }
  // An inherited descriptor is one connection; there is no second one to be had.
  const open = address.kind === "fd" ? once(() => dialAddress(address)) : undefined;
  return {
    target,
    async dial(signal) {
      if (open !== undefined) return socketLink(await open(), peer);
      if (!takesMemory(address)) return socketLink(await dialAddress(address, { signal }), peer, "own");
      const memory = new ReceiveMemory();
      return socketLink(await dialAddress(address, { signal, onread: memory.onread }), peer, memory);
    },
  };
}

function streamDialer(open: (signal: AbortSignal) => Duplex | Promise<Duplex>): Dialer {
  const target = "duplex:";
  return {
    target,
    async dial(signal) {
      return socketLink(await givenStream(open, "connect()", signal), { kind: "duplex", address: target });
    },
  };
}

function once<T extends Duplex | Promise<Duplex>>(open: () => T): () => T {
  let used = false;
  return () => {
    if (used) {
      throw new RpcError(Code.Unavailable, "the stream given to connect() has ended and cannot be opened again");
    }
    used = true;
    return open();
  };
}
