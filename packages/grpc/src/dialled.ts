// Connections to addresses that grpc-js knows no way to (vsock, hybrid vsock, inherited descriptors), and to unix sockets,
// where a full queue (`EAGAIN`) ends its attempt. It is handed sockets that rpc has opened, where it would call net.connect.
// When it connects, how often, and what it sends stay its own affair.
import type { Socket } from "node:net";
import type { Channel as GrpcChannel } from "@grpc/grpc-js";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { clientConnections, connectionFails, dialAddress, formatAddress } from "@guestwire/rpc/transport";
import type { Sockets } from "./client-credentials.js";
import { DialError } from "./connect-failures.js";
import { protocol } from "./protocol.js";
import { type DialledAddress, dialledAddress, type Endpoint } from "./target.js";

/** How grpc-js opens the connection of one address. */
interface Connector {
  /** All of it, TLS and HTTP/2 included. */
  connect(endpoint: Endpoint, ...rest: unknown[]): Promise<unknown>;
  /** Its first step. */
  tcpConnect(endpoint: Endpoint & { readonly signal: AbortSignal }, ...rest: unknown[]): Promise<Socket>;
}

/** Where grpc-js makes the connections of a channel. */
interface Pool {
  getOrCreateSubchannel(target: unknown, endpoint: Endpoint, ...rest: unknown[]): { readonly connector: Connector };
  unrefUnusedSubchannels(): void;
}

/**
 * Makes a channel open such addresses with our sockets; others as before. grpc-js has no option for it. A relay on a unix
 * socket would do without a look inside, at the price of copying every byte twice more and of losing the reason of what
 * fails.
 *
 * @throws {RpcError} Code.Internal for a version of grpc-js that is made in another way.
 */
export function openDialled(channel: GrpcChannel, sockets: Sockets): void {
  const { internalChannel: inner } = channel as unknown as { internalChannel?: { subchannelPool?: Pool } };
  const pool = inner?.subchannelPool;
  if (inner === undefined || typeof pool?.getOrCreateSubchannel !== "function") {
    throw new RpcError(Code.Internal, "this version of @grpc/grpc-js makes its connections elsewhere");
  }
  const dialler = new Dialler(sockets);
  // In place of the pool, which several channels may share, and nothing else of which is ever asked.
  inner.subchannelPool = {
    getOrCreateSubchannel(target, endpoint, ...rest) {
      const subchannel = pool.getOrCreateSubchannel(target, endpoint, ...rest);
      const address = dialledAddress(endpoint);
      watchFailures(
        subchannel.connector,
        endpoint,
        sockets,
        address && (({ signal }) => dialler.dial(address, signal)),
      );
      return subchannel;
    },
    unrefUnusedSubchannels: () => pool.unrefUnusedSubchannels(),
  };
}

/** Notes how attempts fail. grpc-js itself keeps no more of it than a text. */
function watchFailures(
  connector: Connector,
  endpoint: Endpoint,
  { failures }: Sockets,
  dial: Connector["tcpConnect"] | undefined,
): void {
  // The prototype's, as a shared pool gives the same connector again.
  const own = Object.getPrototypeOf(connector) as Connector;
  const open = dial ?? own.tcpConnect;
  let undialled: unknown;
  connector.tcpConnect = async (...to) => {
    try {
      return await open.apply(connector, to);
    } catch (error) {
      undialled = error;
      throw error;
    }
  };
  connector.connect = async (...to) => {
    undialled = undefined;
    try {
      const transport = await own.connect.apply(connector, to);
      failures.forget(endpoint);
      return transport;
    } catch (error) {
      // Without one the channel has been closed.
      if (error !== undefined) failures.add(endpoint, error, error === undialled);
      throw error;
    }
  };
}

/** Whether an error says where it happened: the system's own do, of a unix socket. */
function namesItself({ kind }: DialledAddress, error: unknown): boolean {
  return kind === "unix" && (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

/** Opens the connections of one channel. */
class Dialler {
  readonly #sockets: Sockets;
  // Descriptors that were handed over. They are one connection each, and their numbers may be somebody else's by now.
  readonly #used = new Set<number>();

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
  }

  /** @param signal Ends the attempt, and its connection at any later time. */
  async dial(address: DialledAddress, signal: AbortSignal): Promise<Socket> {
    const peer: Peer = { kind: address.kind, address: formatAddress(address) };
    const startedAt = performance.now();
    try {
      const socket = await this.#open(address, signal);
      this.#sockets.dialled.set(socket, peer);
      // Nobody listens between two steps of grpc-js, which ask whether it is closed.
      socket.on("error", () => {});
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
      return socket;
    } catch (cause) {
      const error = namesItself(address, cause) ? cause : new DialError(peer.address, cause);
      // A channel that is closed has not failed to connect.
      if (!signal.aborted) connectionFails(clientConnections, protocol, { target: peer.address }, startedAt, error);
      throw error;
    }
  }

  async #open(address: DialledAddress, signal: AbortSignal): Promise<Socket> {
    if (address.kind === "fd") return this.#inherited(address);
    const { connectTimeoutMs } = this.#sockets;
    const attempt = new AbortController();
    const stop = (): void => attempt.abort(signal.reason);
    // A paused machine accepts and says nothing.
    const timer = setTimeout(
      () => attempt.abort(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    timer.unref();
    signal.addEventListener("abort", stop);
    try {
      return await dialAddress(address, { signal: attempt.signal });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  async #inherited(address: DialledAddress & { kind: "fd" }): Promise<Socket> {
    if (this.#used.has(address.fd)) throw new Error("an inherited connection was used, and cannot be opened again");
    this.#used.add(address.fd);
    try {
      return await dialAddress(address);
    } catch (error) {
      this.#used.delete(address.fd);
      if ((error as NodeJS.ErrnoException).code !== "ERR_INVALID_FD_TYPE") throw error;
      throw new Error("the descriptor is no unix or TCP socket", { cause: error });
    }
  }
}
