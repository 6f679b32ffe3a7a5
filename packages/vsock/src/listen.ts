// Opens a vsock server: a net.Server whose connections carry their addresses. Bound and listening before the promise resolves.
import { once } from "node:events";
import { adoptListener, withVsock } from "./adopt.js";
import { checkFlag, checkListenAddress, checkObject, wholeNumber, wrongType } from "./arguments.js";
import { syscalls } from "./backend.js";
import { check } from "./errors.js";
import { encodeSockaddr, socketName } from "./sockaddr.js";
import type { Syscalls } from "./syscalls.js";
import { createVsockServer, type VsockServer } from "./vsock-server.js";
import type { VsockSocket } from "./vsock-socket.js";

/** Where to listen. */
export interface ListenAddress {
  /** One of this machine's CIDs; a listener bound to one is not reachable over the others. Default `"any"`. */
  readonly cid?: number | "any";
  /** 0 to 2^32-2, or {@link anyPort} for one that is free. Below 1024 it takes `CAP_NET_BIND_SERVICE`. */
  readonly port: number;
}

/** Options of {@link listen}. */
export interface ListenOptions {
  /** How many connections may wait to be accepted; the kernel has a limit of its own. Default 511, as in `net`. */
  readonly backlog?: number;
  /** As for `net.createServer`. Default `false`. */
  readonly allowHalfOpen?: boolean;
  /** As for `net.createServer`. Default `false`. */
  readonly pauseOnConnect?: boolean;
}

/**
 * Listens on a vsock port.
 *
 * @param onConnection Called for every connection, as the server's `connection` event.
 * @returns A listening `net.Server` with the `cid` and the `port` as bound.
 * @throws {VsockError} `EADDRINUSE`, `EACCES` (a port below 1024 without `CAP_NET_BIND_SERVICE`), `EADDRNOTAVAIL` (a CID that is not
 * this machine's); with the address.
 * @throws {Error} `ERR_VSOCK_UNAVAILABLE` when this machine, or this Node, has no vsock, and in a worker of `node:cluster`.
 * @throws {TypeError} @throws {RangeError} for a wrong argument, naming it.
 */
export async function listen(
  address: ListenAddress,
  options: ListenOptions = {},
  onConnection?: (socket: VsockSocket) => void,
): Promise<VsockServer> {
  return listenWith(syscalls, address, options, onConnection);
}

/** {@link listen} with the system calls given. */
export async function listenWith(
  load: () => Syscalls,
  address: ListenAddress,
  options: ListenOptions,
  onConnection?: (socket: VsockSocket) => void,
): Promise<VsockServer> {
  const at = checkListenAddress(address);
  checkObject("options", options);
  const { backlog = 511 } = options;
  wholeNumber("options.backlog", backlog, 2 ** 31 - 1);
  const allowHalfOpen = checkFlag("options.allowHalfOpen", options.allowHalfOpen);
  const pauseOnConnect = checkFlag("options.pauseOnConnect", options.pauseOnConnect);
  if (onConnection !== undefined && typeof onConnection !== "function") {
    throw wrongType("onConnection", "a function", onConnection);
  }
  refuseInCluster();
  const calls = load();
  const server = withVsock(calls, (vsock) => {
    check(calls.bind(vsock, encodeSockaddr(at)), "listen", at);
    check(calls.listen(vsock, backlog), "listen", at);
    const bound = socketName(calls, vsock, "local");
    const opened = createVsockServer(calls, bound, { allowHalfOpen, pauseOnConnect });
    try {
      adoptListener(calls, opened, vsock, backlog);
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  });
  if (onConnection !== undefined) server.on("connection", onConnection as () => void);
  await once(server, "listening");
  return server;
}

/** In a cluster's workers listen() asks the primary process, which cannot pass such a socket on. */
function refuseInCluster(): void {
  if (!process.getBuiltinModule("node:cluster").isWorker) return;
  const error = new Error(
    "vsock servers cannot listen in a worker of node:cluster; listen in the primary process, in a worker thread, or in a child process",
  );
  throw Object.assign(error, { code: "ERR_VSOCK_UNAVAILABLE" });
}
