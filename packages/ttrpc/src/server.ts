// serve(): services on any number of addresses at once, and an end that always comes. Frames are the session's.
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
  type ConnectionEvent,
  checkKnown,
  checkSwitch,
  connectionBegins,
  connectionEnds,
  connectionRefused,
  type Listener,
  openListener,
  optionNames,
  parseAddress,
  serverConnections,
} from "@guestwire/rpc/transport";
import { wheelOf } from "./deadline-wheel.js";
import { type Limits, resolveLimits } from "./limits.js";
import type { Clock, Link } from "./link.js";
import { protocol } from "./protocol.js";
import { ServerSession } from "./server-session.js";
import type { ServerShared } from "./server-shared.js";
import { socketLink } from "./socket-link.js";
import { systemClock } from "./system-clock.js";

/** How a server behaves. Interceptors run around every call, the first outermost. */
export interface ServeOptions extends ServiceOptions {
  /** Bounds that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits>;
  /**
   * Whether clients may say by `guestwire.control.v1` what ttrpc has no words for: that they canceled a call, that they take
   * response metadata, and whether the server is there. Default true; see docs/control.md.
   */
  readonly control?: boolean;
}

const known = optionNames<ServeOptions>({ interceptors: true, authorize: true, limits: true, control: true });

/** A ttrpc server. */
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
   * @param address As for `connect()`; `fd://3` is an inherited listening socket, `tcp://127.0.0.1:0` and `vsock://any:0`
   * take a free port, `hvsock:///path:port` takes the connections that the guest of that virtual machine monitor begins.
   * A unix socket is created with mode 0600, in a folder that is made with mode 0700 where it is missing.
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
   * Stops listening, refuses new calls with `Unavailable`, waits for the running ones and closes all connections.
   * After `graceMs` (default 5,000) the signals of the handlers that still run fire and their connections are cut.
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
 * const server = serve().service(MachineService, { async inspect(request) { return { id: request.id }; } });
 * await server.listen("unix:///run/agent.sock");
 */
export function serve(options: ServeOptions = {}): Server {
  return new TtrpcServer(options, systemClock);
}

/** As {@link serve}, with a clock of one's own, and able to take links. For tests and for channels without a socket. */
export class TtrpcServer implements Server {
  readonly #shared: ServerShared;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Map<ServerSession, ConnectionEvent>();
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ServeOptions, clock: Clock) {
    checkKnown("serve()", options, known);
    checkSwitch("control", options.control);
    this.#shared = {
      router: createRouter(options),
      limits: resolveLimits(options.limits),
      clock,
      wheel: wheelOf(clock),
      control: options.control ?? true,
      known: new WeakMap(),
      running: 0,
      gone: (session) => {
        const event = this.#sessions.get(session);
        this.#sessions.delete(session);
        if (event !== undefined) connectionEnds(serverConnections, event, session.ended, session.fault);
        if (this.#sessions.size === 0) this.#emptied?.();
      },
    };
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

  /** @internal The clock that the server runs on. */
  get clock(): Clock {
    return this.#shared.clock;
  }

  get services(): readonly DescService[] {
    return this.#shared.router.services;
  }

  service<S extends DescService>(service: S, handlers: Partial<Handlers<S>>, options?: ServiceOptions): this {
    this.#shared.router.service(service, handlers, options);
    return this;
  }

  async listen(address: string): Promise<string> {
    this.#refuseWhenClosed();
    const parsed = parseAddress(address);
    // A connection may come before `listener` is there.
    const listener = await openListener(parsed, (socket, peer) => this.attachLink(socketLink(socket, peer, "own")));
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
    this.attachLink(socketLink(stream, peer));
  }

  /** @internal Serves a link. */
  attachLink(link: Link): void {
    const full = this.#sessions.size >= this.#shared.limits.connections;
    if (this.#closing !== undefined || full) {
      const reason = full ? "too many connections are open" : "the server is closed";
      connectionRefused(serverConnections, protocol, link.peer, reason);
      return link.destroy();
    }
    const session = new ServerSession(link, this.#shared);
    this.#sessions.set(session, connectionBegins(serverConnections, protocol, link.peer));
    session.start();
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
    for (const session of [...this.#sessions.keys()]) session.drain();
    if (this.#sessions.size > 0) await this.#untilEmpty(graceMs);
    await Promise.all(closed);
    this.#shared.wheel.settle();
  }

  /** Waits until all sessions are gone; cuts those that are left when the time is up. */
  #untilEmpty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#shared.clock.after(graceMs, () => {
        const reason = new RpcError(Code.Canceled, "the server shuts down");
        for (const session of [...this.#sessions.keys()]) session.cut(reason);
      });
      this.#emptied = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new RpcError(Code.Unavailable, "the server is closed");
  }
}
