// The VMM's side of hybrid vsock for a guest that is a process: for tests and development without a VM. Not for untrusted hosts.
import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { acceptHandshake, type ConnectGuest } from "./hybrid-accept.js";
import { checkPath, checkPort, checkTimeout, hybridListenPath, invalid } from "./hybrid-address.js";
import { connectPath } from "./hybrid-connect.js";
import { systemError } from "./hybrid-error.js";
import { joinStreams } from "./hybrid-join.js";
import { listenPrivately } from "./hybrid-listen.js";

/** Where the proxy listens, and how it reaches the guest. */
export interface HybridProxyTarget {
  /** The unix socket of the VMM that the proxy stands for; hosts dial it with {@link dialHybrid}. */
  readonly path: string;
  /** Opens a connection to a port of the guest; a failure closes the host's connection without text, as VMMs do. */
  readonly connect: ConnectGuest;
}

/** Bounds of a proxy. */
export interface HybridProxyOptions {
  /** The time for the host's command and the guest's answer together, in milliseconds; `Infinity` for none. @defaultValue 5000 */
  readonly handshakeTimeoutMs?: number;
  /** Connections at a time, of both directions; more are accepted and dropped at once. @defaultValue 1023, as Firecracker */
  readonly maxConnections?: number;
  /** Told why a host's connection was dropped before its answer; the host itself is not told. What it throws is an uncaught exception. */
  readonly onRefused?: (error: unknown) => void;
}

/** A running proxy. */
export interface HybridProxy extends AsyncDisposable {
  /** The unix socket that it listens on. */
  readonly path: string;
  /** Connections of both directions that are open or being opened. */
  readonly connections: number;
  /**
   * Opens a connection as the guest does to `port` of its host (CID 2): to the unix socket `<path>_<port>`. It belongs to the
   * caller; `close()` of the proxy destroys it, as the end of a VM does.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when the port is wrong.
   * @throws {Error} `ECONNRESET` when nobody listens there or the proxy is closed or full; the signal's reason when it is aborted.
   */
  connectToHost(
    port: number,
    options?: { readonly signal?: AbortSignal; readonly allowHalfOpen?: boolean },
  ): Promise<Socket>;
  /** Ends everything, as the end of a VM does. Resolves when no connection is left; never rejects. */
  close(): Promise<void>;
}

// Firecracker and Cloud Hypervisor give the host's ports from the upper half of what is no privileged CID's.
const firstHostPort = 2 ** 30;

/**
 * Starts the VMM's side of hybrid vsock: listens on a unix socket, reads `CONNECT <port>`, opens the guest's port with `connect`,
 * answers `OK <host port>` and passes bytes both ways, with back-pressure and half-close (which real VMMs do not pass on).
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when an argument is wrong.
 * @throws {Error} `EADDRINUSE`, `ENOTSOCK` or the system's error when the socket cannot be opened; see {@link listenHybrid}.
 */
export async function hybridProxy(target: HybridProxyTarget, options: HybridProxyOptions = {}): Promise<HybridProxy> {
  const path = checkPath(target.path);
  const { connect } = target;
  if (typeof connect !== "function") throw invalid("connect of hybridProxy() must be a function");
  const timeoutMs = checkTimeout("handshakeTimeoutMs", options.handshakeTimeoutMs ?? 5_000);
  const most = options.maxConnections ?? 1_023;
  if (!(most > 0)) throw invalid(`maxConnections must be a number above 0, not ${String(most)}`);

  const closing = new AbortController();
  const open = new Set<Socket>();
  const guests = new Set<Duplex>();
  let dialing = 0;
  let nextPort = firstHostPort;

  const isFull = (): boolean => open.size + dialing >= most;
  const own = (socket: Socket): void => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  };
  const refuse = (host: Socket, error: unknown): void => {
    host.destroy();
    if (!closing.signal.aborted) options.onRefused?.(error);
  };

  async function serve(host: Socket): Promise<void> {
    host.on("error", () => {});
    if (closing.signal.aborted) return void host.destroy();
    if (isFull()) return refuse(host, failure("EMFILE", path, `${most} connections are open`));
    own(host);
    let guest: Duplex;
    try {
      guest = await acceptHandshake(host, connect, timeoutMs, closing.signal);
    } catch (error) {
      return refuse(host, error);
    }
    guest.on("error", () => {});
    // Either may have gone while the other was awaited.
    if (host.destroyed || closing.signal.aborted) guest.destroy();
    if (guest.destroyed) return void host.destroy();
    host.write(`OK ${nextPort}\n`);
    nextPort = nextPort === 2 ** 31 - 1 ? firstHostPort : nextPort + 1;
    guests.add(guest);
    guest.on("close", () => guests.delete(guest));
    joinStreams(host, guest);
  }

  async function connectToHost(
    port: number,
    { signal, allowHalfOpen = false }: { readonly signal?: AbortSignal; readonly allowHalfOpen?: boolean } = {},
  ): Promise<Socket> {
    const hostPath = hybridListenPath(path, checkPort(port));
    signal?.throwIfAborted();
    if (closing.signal.aborted) throw failure("ECONNRESET", hostPath, "the proxy is closed");
    if (isFull()) throw failure("ECONNRESET", hostPath, `${most} connections are open`);
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal?.reason);
    const onClosing = (): void => stop.abort(failure("ECONNRESET", hostPath, "the proxy is closed"));
    signal?.addEventListener("abort", onAbort);
    closing.signal.addEventListener("abort", onClosing);
    dialing++;
    try {
      const socket = await connectPath(hostPath, allowHalfOpen, stop.signal);
      own(socket);
      return socket;
    } catch (error) {
      if (stop.signal.aborted) throw error;
      throw failure("ECONNRESET", hostPath, "nobody listens there on the host", error);
    } finally {
      dialing--;
      signal?.removeEventListener("abort", onAbort);
      closing.signal.removeEventListener("abort", onClosing);
    }
  }

  const server = createServer({ allowHalfOpen: true }, serve);
  await listenPrivately(server, path);
  const closed = new Promise<void>((resolve) => server.once("close", () => resolve()));

  async function close(): Promise<void> {
    if (!closing.signal.aborted) {
      closing.abort(failure("ECONNRESET", path, "the proxy is closed"));
      server.close();
      // Guests first: they are closed when their hosts are, and hosts are what the server waits for.
      for (const stream of guests) stream.destroy();
      for (const stream of open) stream.destroy();
    }
    await closed;
    await Promise.all(Array.from(open, (stream) => new Promise((resolve) => stream.once("close", resolve))));
  }

  return {
    path,
    get connections() {
      return open.size + dialing;
    },
    connectToHost,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function failure(code: string, path: string, what: string, cause?: unknown): Error {
  return systemError(code, "connect", path, what, cause);
}
