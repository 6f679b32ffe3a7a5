// serve(): services that ArcBox's frames have numbers for, on any number of addresses at once, and an end that always comes.
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { DescService } from "@bufbuild/protobuf";
import {
  type CloseOptions,
  Code,
  createRouter,
  type Handlers,
  type Peer,
  RpcError,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import {
  checkKnown,
  connectionRefused,
  connectionWatched,
  type Listener,
  openListener,
  optionNames,
  parseAddress,
  serverConnections,
} from "@guestwire/rpc/transport";
import { FrameConnection } from "./connection.js";
import { withAgentPort } from "./dial.js";
import { type Limits, resolveLimits } from "./limits.js";
import { frameMethodOf } from "./numbers.js";
import { protocol } from "./protocol.js";
import { ServerSession, type ServerShared } from "./server-session.js";

/** How a server behaves. Interceptors run around every call, the first outermost. */
export interface ServeOptions extends ServiceOptions {
  /** Bounds that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits>;
}

const known = optionNames<ServeOptions>({ interceptors: true, authorize: true, limits: true });

/** A server that speaks as ArcBox's agents do. */
export interface Server extends ServiceRegistry, AsyncDisposable {
  /** The addresses that are listened on, in the order of `listen`. */
  readonly addresses: readonly string[];
  /** How many connections are open. */
  readonly connections: number;
  /** How many handlers run. */
  readonly runningCalls: number;
  /**
   * Listens on one more address.
   *
   * @param address As for `connect()`; `vsock://any` is `vsock://any:1024`, where ArcBox's hosts look for an agent. A unix
   * socket is created with mode 0600, in a folder that is made with mode 0700 where it is missing.
   * @returns The address that clients use.
   * @throws {RpcError} Code.AlreadyExists when somebody listens there already; Code.InvalidArgument for a bad address;
   * Code.Unavailable after `close`; other codes by the system's error.
   */
  listen(address: string): Promise<string>;
  /**
   * Serves one connection that is open already.
   *
   * @param stream Any Duplex; it is destroyed at the end.
   * @param peer Who is at the other end, for handlers. Default a nameless one.
   * @throws {RpcError} Code.InvalidArgument when the stream is no Duplex.
   */
  attach(stream: Duplex, peer?: Peer): void;
  /**
   * Stops listening, takes no further requests, waits for the running ones and closes all connections. After `graceMs`
   * (default 5,000) the signals of the handlers that still run fire and their connections are cut.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Makes a server. Register services, then listen.
 *
 * @param options See {@link ServeOptions}.
 * @throws {RpcError} Code.InvalidArgument when an option or a limit is wrong.
 *
 * @example
 * const server = serve().service(AgentService, { ping: ({ message }) => ({ message: `pong: ${message}` }) });
 * await server.listen("vsock://any");
 */
export function serve(options: ServeOptions = {}): Server {
  checkKnown("serve()", options, known);
  return new FramesServer(options);
}

class FramesServer implements Server {
  readonly #shared: ServerShared;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Set<ServerSession>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ServeOptions) {
    this.#shared = { router: createRouter(options), limits: resolveLimits(options.limits), running: 0 };
  }

  get addresses(): readonly string[] {
    return this.#listeners.map(({ address }) => address);
  }

  get connections(): number {
    return this.#sessions.size;
  }

  get runningCalls(): number {
    return this.#shared.running;
  }

  get services(): readonly DescService[] {
    return this.#shared.router.services;
  }

  service<S extends DescService>(service: S, handlers: Partial<Handlers<S>>, options?: ServiceOptions): this {
    if (!service.methods.some(frameMethodOf)) {
      const text = `ArcBox's frames have no numbers for ${service.typeName}; serve it over ttrpc or gRPC`;
      throw new RpcError(Code.InvalidArgument, text);
    }
    this.#shared.router.service(service, handlers, options);
    return this;
  }

  async listen(address: string): Promise<string> {
    this.#refuseWhenClosed();
    const listener = await openListener(parseAddress(withAgentPort(address)), (socket, peer) => {
      this.attach(socket, peer);
    });
    if (this.#closing !== undefined) {
      listener.server.close();
      this.#refuseWhenClosed();
    }
    this.#listeners.push(listener);
    return listener.address;
  }

  attach(
    stream: Duplex,
    peer: Peer = { kind: stream instanceof Socket ? "socket" : "duplex", address: "duplex:" },
  ): void {
    if (!(stream instanceof Duplex)) throw new RpcError(Code.InvalidArgument, "attach() takes an open Duplex");
    const full = this.#sessions.size >= this.#shared.limits.connections;
    if (this.#closing !== undefined || full) {
      const reason = full ? "too many connections are open" : "the server is closed";
      connectionRefused(serverConnections, protocol, peer, reason);
      stream.on("error", () => {}).destroy();
      return;
    }
    connectionWatched(serverConnections, protocol, peer, stream);
    const session = new ServerSession(new FrameConnection(stream, peer, this.#shared.limits), this.#shared);
    this.#sessions.add(session);
    void session.run().then(() => {
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#emptied?.();
    });
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 5000);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(graceMs: number): Promise<void> {
    const closed = this.#listeners.map(({ server }) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const session of [...this.#sessions]) session.drain();
    if (this.#sessions.size > 0) await this.#untilEmpty(graceMs);
    await Promise.all(closed);
  }

  /** Waits until all sessions are gone; cuts those that are left when the time is up. */
  #untilEmpty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cut = (): void => {
        const reason = new RpcError(Code.Canceled, "the server shuts down");
        for (const session of [...this.#sessions]) session.cut(reason);
      };
      const timer = setTimeout(cut, Math.min(graceMs, 2 ** 31 - 1));
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new RpcError(Code.Unavailable, "the server is closed");
  }
}
