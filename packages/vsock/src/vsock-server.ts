// The server that users get: a net.Server that names its connections before anyone sees them.
import { Server, type ServerOpts, Socket } from "node:net";
import { formatVsock, type VsockAddress } from "./cids.js";
import type { Syscalls } from "./syscalls.js";
import { attachNames } from "./vsock-socket.js";

/** A listening vsock server; its `connection` events carry a {@link VsockSocket}. */
export interface VsockServer extends Server {
  /** The CID as bound; 2^32-1 (`cids.any`) for all of them. */
  readonly cid: number;
  /** The port as bound. */
  readonly port: number;
  /** The address as text, such as `vsock://any:1024`; `null` when it does not listen. */
  address(): string | null;
}

/** Makes a server that does not listen yet; {@link adoptListener} gives it its descriptor. */
export function createVsockServer(calls: Syscalls, bound: VsockAddress, options: ServerOpts): VsockServer {
  return new NamingServer(calls, bound, options);
}

class NamingServer extends Server implements VsockServer {
  readonly #calls: Syscalls;
  readonly cid: number;
  readonly port: number;

  constructor(calls: Syscalls, bound: VsockAddress, options: ServerOpts) {
    super(options);
    this.#calls = calls;
    this.cid = bound.cid;
    this.port = bound.port;
  }

  override address(): string | null {
    return this.listening ? formatVsock(this) : null;
  }

  // Not a listener of our own: prependListener() would come before it.
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    const [socket] = values;
    if (event === "connection" && socket instanceof Socket) {
      const fd = descriptorOf(socket);
      try {
        attachNames(this.#calls, socket, fd);
      } catch {
        // It went away before anybody could look at it.
        socket.destroy();
        return false;
      }
    }
    return super.emit(event as "connection", ...(values as [Socket]));
  }
}

/**
 * The descriptor of an accepted socket. Node accepts it inside libuv and shows it nowhere in public: this is the one private property
 * that this package reads. It has been there since Node 0.x and other packages rely on it.
 */
function descriptorOf(socket: Socket): number {
  const fd = (socket as { _handle?: { fd?: unknown } })._handle?.fd;
  if (typeof fd !== "number" || fd < 0) throw new Error("this version of Node does not show a socket's descriptor");
  return fd;
}
