// serve(): services on any number of addresses at once, and an end that always comes. Calls and connections are the
// listeners'; HTTP/2 is grpc-js'.
import { Duplex } from "node:stream";
import type { DescService } from "@bufbuild/protobuf";
import { Server as GrpcServer } from "@grpc/grpc-js";
import {
  type CloseOptions,
  Code,
  createRouter,
  type Handlers,
  type Peer,
  RpcError,
  type ServiceOptions,
} from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import {
  type Address,
  connectionRefused,
  connectionWatched,
  formatAddress,
  type Listener,
  openListener,
  parseAddress,
  serverConnections,
} from "@guestwire/rpc/transport";
import { resolveLimits } from "./limits.js";
import { isLoopback, loopbackAddress, refusedPlaintext } from "./plaintext.js";
import { protocol } from "./protocol.js";
import { deserializerOf } from "./serialize.js";
import { ServerTls } from "./server-credentials.js";
import { ServerListener, unknownPath } from "./server-listener.js";
import { checkServeOptions, grpcServerOptions, type ServeOptions, type Server } from "./server-options.js";
import type { ServerShared } from "./server-shared.js";
import { longestTimerMs } from "./times.js";
import type { TlsOptions } from "./tls.js";

/**
 * Makes a server. Register services, then listen.
 *
 * @param options See {@link ServeOptions}.
 * @throws {RpcError} Code.InvalidArgument naming the option that is wrong.
 *
 * @example
 * const server = serve().service(MachineService, { async inspect(request) { return { id: request.id }; } });
 * await server.listen("tcp://127.0.0.1:50051");
 */
export function serve(options: ServeOptions = {}): Server {
  return new GrpcJsServer(options);
}

/** A way in: what listens, and what serves those that come. */
interface Entrance {
  readonly listener: Listener | undefined;
  readonly server: ServerListener;
}

class GrpcJsServer implements Server {
  readonly #options: ServeOptions;
  readonly #shared: ServerShared;
  readonly #server: GrpcServer;
  readonly #tls: ServerTls | undefined;
  readonly #addresses: string[] = [];
  readonly #entrances = new Set<Entrance>();
  readonly #sockets = new Set<Duplex>();
  #attached: ServerListener | undefined;
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor(options: ServeOptions) {
    checkServeOptions(options);
    const limits = resolveLimits(options.limits);
    this.#options = options;
    this.#shared = { router: createRouter(options), limits, methods: new Map(), running: 0, stopped: undefined };
    this.#tls = options.tls === undefined ? undefined : new ServerTls(options.tls, () => this.#tlsChanged());
    this.#server = new GrpcServer(grpcServerOptions(options, limits));
    this.#register(unknownPath);
  }

  get services(): readonly DescService[] {
    return this.#shared.router.services;
  }

  get addresses(): readonly string[] {
    return [...this.#addresses];
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get runningCalls(): number {
    return this.#shared.running;
  }

  service<S extends DescService>(service: S, handlers: Partial<Handlers<S>>, options?: ServiceOptions): this {
    const { router, methods } = this.#shared;
    router.service(service, handlers, options);
    for (const { name } of service.methods) {
      const route = router.find(service.typeName, name);
      if (route === undefined) continue;
      const { input, output } = route.method;
      methods.set(route.path, { ...route, decode: deserializerOf(input), output: codecFor(output) });
      this.#register(route.path);
    }
    return this;
  }

  async listen(address: string): Promise<string> {
    this.#refuseWhenClosed();
    const parsed = parseAddress(address);
    const own = formatAddress(parsed);
    const bound = await this.#boundAddress(parsed, own);
    const server = this.#open({ kind: parsed.kind, address: own }, this.#tls);
    const listener = await openListener(bound, (socket, peer) => {
      this.#accept(server, socket, peer);
    }).catch((error: unknown) => {
      server.drain();
      throw error;
    });
    try {
      this.#refuseWhenClosed();
      if (parsed.kind === "fd") this.#refuseOpenPlaintext(listener, own);
    } catch (error) {
      listener.server.close();
      server.drain();
      throw error;
    }
    this.#entrances.add({ listener, server });
    // With the host that was asked for: a certificate is checked against it.
    const { address: real } = listener;
    const shown = parsed.kind === "tcp" ? formatAddress({ ...parsed, port: portOf(real) }) : real;
    this.#addresses.push(shown);
    return shown;
  }

  attach(stream: Duplex, peer: Peer = { kind: "duplex", address: "duplex:" }): void {
    if (!(stream instanceof Duplex)) throw new RpcError(Code.InvalidArgument, "attach() takes an open Duplex");
    if (this.#attached === undefined) {
      this.#attached = this.#open(peer, undefined);
      this.#entrances.add({ listener: undefined, server: this.#attached });
    }
    this.#accept(this.#attached, stream, peer);
  }

  updateTls(tls: TlsOptions): void {
    if (this.#tls === undefined) throw new RpcError(Code.FailedPrecondition, "the server was made without TLS");
    this.#tls.update(tls);
    this.#tlsChanged();
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.graceMs ?? 5000);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(graceMs: number): Promise<void> {
    const closed: Promise<void>[] = [];
    for (const { listener, server } of this.#entrances) {
      if (listener !== undefined) closed.push(new Promise((resolve) => listener.server.close(() => resolve())));
      server.drain();
    }
    this.#tls?.close();
    if (this.#sockets.size > 0) await this.#untilEmpty(graceMs);
    await Promise.all(closed);
    this.#server.forceShutdown();
  }

  /** Waits until all connections are gone; cuts those that are left when the time is up. */
  #untilEmpty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => {
          this.#shared.stopped = new RpcError(Code.Canceled, "the server shuts down");
          for (const socket of [...this.#sockets]) socket.destroy();
        },
        Math.min(graceMs, longestTimerMs),
      );
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #open(peer: Peer, tls: ServerTls | undefined): ServerListener {
    return new ServerListener(this.#server, this.#shared, this.#options.keepalive ?? {}, peer, tls);
  }

  #accept(server: ServerListener, socket: Duplex, peer: Peer): void {
    if (this.#closing !== undefined || this.#sockets.size >= this.#shared.limits.connections) {
      const reason = this.#closing === undefined ? "too many connections are open" : "the server is closed";
      connectionRefused(serverConnections, protocol, peer, reason);
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    connectionWatched(serverConnections, protocol, peer, socket);
    // What ends a connection ends its calls; nobody else needs to hear of it.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#emptied?.();
    });
    server.accept(socket, peer);
  }

  /** Where to listen, so that nobody gets at plaintext who should not. */
  async #boundAddress(address: Address, own: string): Promise<Address> {
    if (address.kind !== "tcp" || this.#plaintextAllowed()) return address;
    return { ...address, host: await loopbackAddress(address.host, own) };
  }

  #refuseOpenPlaintext({ server }: Listener, own: string): void {
    const bound = server.address();
    if (typeof bound !== "object" || bound === null || this.#plaintextAllowed() || isLoopback(bound.address)) return;
    throw refusedPlaintext(own, bound.address);
  }

  #plaintextAllowed(): boolean {
    return this.#tls !== undefined || this.#options.allowRemotePlaintext === true;
  }

  #tlsChanged(): void {
    if (this.#tls === undefined) return;
    for (const { listener, server } of this.#entrances) if (listener !== undefined) server.updateTls(this.#tls);
  }

  /** Makes grpc-js let calls of this path in; they are taken over before it handles any. */
  #register(path: string): void {
    this.#server.register(path, () => {}, passOn, passOn, "bidi");
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new RpcError(Code.Unavailable, "the server is closed");
  }
}

// Requests are decoded by the call; responses come as OutgoingMessage.
const passOn = (bytes: Buffer): Buffer => bytes;

function portOf(address: string): number {
  const parsed = parseAddress(address);
  return parsed.kind === "tcp" ? parsed.port : 0;
}
