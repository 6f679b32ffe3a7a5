// Opens connections to a target, one attempt each, within a time limit. When to dial is the pool's affair.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import {
  clientConnections,
  connectionFails,
  connectionWatched,
  dialAddress,
  formatAddress,
  givenStream,
  parseAddress,
  systemClock,
  within,
} from "@guestwire/rpc/transport";
import { FrameConnection } from "./connection.js";
import type { Limits } from "./limits.js";
import { agentPort, protocol } from "./protocol.js";

/** What `connect()` takes: an address, an open stream, or a function that opens one. */
export type ConnectTarget = string | Duplex | ((signal: AbortSignal) => Duplex | Promise<Duplex>);

/** Opens connections. */
export interface Dialer {
  /** Where they lead to, for errors and logs. */
  readonly target: string;
  /** Whether there is only one connection to be had: an open stream, an inherited descriptor. */
  readonly single: boolean;
  /** Opens one. Rejects with the signal's reason when that fires; nothing of the attempt stays open. */
  open(signal: AbortSignal): Promise<{ readonly stream: Duplex; readonly peer: Peer }>;
}

/** Makes a dialer of what the user gave. @throws {RpcError} when an address is wrong. */
export function dialerFor(target: ConnectTarget): Dialer {
  if (typeof target === "string") return addressDialer(target);
  const address = "duplex:";
  const peer: Peer = { kind: "duplex", address };
  if (target instanceof Duplex) {
    return {
      target: address,
      single: true,
      open: once((signal) => givenStream(() => target, "connect()", signal), peer),
    };
  }
  if (typeof target !== "function") {
    throw new RpcError(Code.InvalidArgument, "connect() takes an address, a Duplex, or a function that opens a Duplex");
  }
  return {
    target: address,
    single: false,
    async open(signal) {
      return { stream: await givenStream(target, "connect()", signal), peer };
    },
  };
}

/**
 * An address with the port of ArcBox's agents where a vsock one has none: `vsock://3` is `vsock://3:1024`, and
 * `hvsock:///run/vm.sock` is `hvsock:///run/vm.sock:1024`.
 */
export function withAgentPort(address: string): string {
  return /^h?vsock:(?:\/\/)?[^:]+$/.test(address) ? `${address}:${agentPort}` : address;
}

/** Opens a connection within `timeoutMs`. @throws {RpcError} Code.Unavailable, reason `connect_failed`. */
export async function dialConnection(
  dialer: Dialer,
  limits: Limits,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<FrameConnection> {
  const startedAt = performance.now();
  try {
    const { stream, peer } = await within((stop) => dialer.open(stop), {
      clock: systemClock,
      ms: timeoutMs,
      signal,
      late: "no connection",
      dispose: (late) => void late.stream.on("error", () => {}).destroy(),
    });
    connectionWatched(clientConnections, protocol, peer, stream);
    return new FrameConnection(stream, peer, limits);
  } catch (error) {
    if (!signal.aborted) connectionFails(clientConnections, protocol, dialer, startedAt, error);
    throw dialError(error, dialer.target);
  }
}

function addressDialer(text: string): Dialer {
  const address = parseAddress(withAgentPort(text));
  const target = formatAddress(address);
  if (address.kind === "vsock" && address.cid === "any") {
    throw new RpcError(Code.InvalidArgument, `${target}: "any" is where to listen; to connect, name a cid`);
  }
  const peer: Peer = { kind: address.kind, address: target };
  const open = (signal: AbortSignal): Promise<Socket> => dialAddress(address, { signal });
  if (address.kind === "fd") return { target, single: true, open: once(open, peer) };
  return { target, single: false, open: async (signal) => ({ stream: await open(signal), peer }) };
}

function once(open: (signal: AbortSignal) => Promise<Duplex>, peer: Peer): Dialer["open"] {
  let used = false;
  return async (signal) => {
    if (used) {
      throw new RpcError(Code.Unavailable, "the stream given to connect() has ended and cannot be opened again");
    }
    used = true;
    return { stream: await open(signal), peer };
  };
}

function dialError(error: unknown, target: string): RpcError {
  const code = error instanceof RpcError ? error.code : Code.Unavailable;
  const text = error instanceof RpcError ? error.rawMessage : String((error as Error)?.message ?? error);
  return new RpcError(code, `cannot connect to ${target}: ${text}`, { reason: "connect_failed", cause: error });
}
