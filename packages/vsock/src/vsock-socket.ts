// The socket that users get: a net.Socket that also knows the addresses of its two sides.
import type { Socket } from "node:net";
import { cids } from "./cids.js";
import { localCidOf } from "./local-cid.js";
import { socketName } from "./sockaddr.js";
import type { Syscalls } from "./syscalls.js";

/** A connected vsock socket. Node's own `remoteAddress` and `localAddress` stay undefined: they are for IP. */
export interface VsockSocket extends Socket {
  readonly remoteCid: number;
  readonly remotePort: number;
  /** Of a dialed socket: what {@link localCid} gives, as the kernel binds it to all; 2^32-1 where that cannot be asked. */
  readonly localCid: number;
  readonly localPort: number;
}

/** Reads both addresses of a connected socket and puts them on it. @throws {VsockError} */
export function attachNames(calls: Syscalls, socket: Socket, fd: number): VsockSocket {
  const local = socketName(calls, fd, "local");
  const remote = socketName(calls, fd, "remote");
  // Defined, not assigned: net.Socket has getters of two of these names.
  return Object.defineProperties(socket, {
    remoteCid: { value: remote.cid, enumerable: true },
    remotePort: { value: remote.port, enumerable: true },
    localCid: { get: () => (local.cid === cids.any ? ownCid(calls, remote.cid) : local.cid), enumerable: true },
    localPort: { value: local.port, enumerable: true },
  }) as VsockSocket;
}

/** A socket that connects is bound to every CID of this machine; the peer sees the one that leads to it. */
function ownCid(calls: Syscalls, remoteCid: number): number {
  if (remoteCid === cids.local) return cids.local;
  try {
    return localCidOf(() => calls, "/dev/vsock");
  } catch {
    return cids.any;
  }
}
