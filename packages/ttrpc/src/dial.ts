// Opens a client's socket for an address. One attempt, within a time limit; trying again is the channel's affair.
import { createConnection, type NetConnectOpts, Socket } from "node:net";
import { Duplex } from "node:stream";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { type Address, formatAddress, parseAddress } from "@guestwire/rpc/transport";
import type { Link } from "./link.js";
import { socketLink } from "./socket-link.js";

/** Opens a connection. */
export interface Dialer {
  /** Where it leads to, for errors and logs. */
  readonly target: string;
  /** @throws {RpcError} Code.Unavailable, reason `connect_failed`. */
  dial(signal: AbortSignal): Promise<Link>;
}

/** What `connect()` takes: an address, an open stream, or a function that opens one. */
export type ConnectTarget = string | Duplex | (() => Duplex | Promise<Duplex>);

/** Makes a dialer of what the user gave. @throws {RpcError} when an address is wrong. */
export function dialerFor(target: ConnectTarget): Dialer {
  if (typeof target === "string") return addressDialer(parseAddress(target));
  if (typeof target === "function") return streamDialer(target);
  if (target instanceof Duplex) return streamDialer(once(target));
  throw new RpcError(Code.InvalidArgument, "connect() takes an address, a Duplex, or a function that opens a Duplex");
}

/** The error for addresses whose sockets this version cannot open. */
export function notYet(address: Address): RpcError {
  return new RpcError(
    Code.Unimplemented,
    `${formatAddress(address)}: ${address.kind} addresses are not supported yet; ` +
      "open the socket yourself and pass it as a Duplex, or use a unix or tcp address",
  );
}

function addressDialer(address: Address): Dialer {
  const target = formatAddress(address);
  if (address.kind === "vsock" || address.kind === "hvsock") throw notYet(address);
  const peer: Peer = { kind: address.kind, address: target };
  if (address.kind === "fd") {
    // An inherited descriptor is one connection; there is no second one to be had.
    const open = once(() => new Socket({ fd: address.fd }));
    return { target, dial: async () => socketLink(open(), peer) };
  }
  const options: NetConnectOpts =
    address.kind === "tcp"
      ? { host: address.host, port: address.port }
      : { path: address.abstract ? `\0${address.path}` : address.path };
  return { target, dial: (signal) => dialSocket(options, peer, signal) };
}

function streamDialer(open: () => Duplex | Promise<Duplex>): Dialer {
  const target = "duplex:";
  return {
    target,
    async dial() {
      const stream = await open();
      if (!(stream instanceof Duplex)) {
        throw new RpcError(Code.InvalidArgument, "the function given to connect() did not return a Duplex");
      }
      return socketLink(stream, { kind: "duplex", address: target });
    },
  };
}

/** Connects a socket; `EAGAIN` (a unix socket's backlog is full for a moment) is tried again until time is up. */
function dialSocket(options: NetConnectOpts, peer: Peer, signal: AbortSignal): Promise<Link> {
  return new Promise((resolve, reject) => {
    let pauseMs = 1;
    let timer: NodeJS.Timeout | undefined;
    let socket: Socket | undefined;
    const stop = (): void => {
      clearTimeout(timer);
      socket?.destroy();
      reject(signal.reason);
    };
    const attempt = (): void => {
      const opened = createConnection(options);
      socket = opened;
      const failed = (error: NodeJS.ErrnoException): void => {
        if (error.code === "EAGAIN") {
          timer = setTimeout(attempt, pauseMs);
          pauseMs = Math.min(pauseMs * 2, 50);
          return;
        }
        signal.removeEventListener("abort", stop);
        reject(error);
      };
      opened.once("error", failed);
      opened.once("connect", () => {
        opened.removeListener("error", failed);
        signal.removeEventListener("abort", stop);
        resolve(socketLink(opened, peer));
      });
    };
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    attempt();
  });
}

function once(stream: Duplex | (() => Duplex)): () => Duplex {
  let used = false;
  return () => {
    if (used)
      throw new RpcError(Code.Unavailable, "the stream given to connect() has ended and cannot be opened again");
    used = true;
    return typeof stream === "function" ? stream() : stream;
  };
}
