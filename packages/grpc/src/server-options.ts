// What a gRPC server can be told, and what it offers. Types, and the options in grpc-js' words.
import type { Duplex } from "node:stream";
import type { ChannelOptions } from "@grpc/grpc-js";
import {
  type CloseOptions,
  Code,
  type Peer,
  RpcError,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import type { ServerKeepalive } from "./keepalive.js";
import { checkKnown } from "./known-options.js";
import type { Limits } from "./limits.js";
import type { TlsOptions, TlsProvider } from "./tls.js";

/** How a server behaves. Interceptors run around every call, the first outermost. */
export interface ServeOptions extends ServiceOptions {
  /** Bounds that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits>;
  /**
   * The server's certificate and key, and whether clients have to show theirs; or where they come from, as
   * `watchTlsFiles`. Holds for all addresses. Default none: plaintext.
   */
  readonly tls?: TlsOptions | TlsProvider;
  /**
   * Whether plaintext may be served on TCP addresses other than loopback. For where something else protects the connection,
   * as a mesh does. Default false. Unix sockets and vsock are no networks, and do not ask.
   */
  readonly allowRemotePlaintext?: boolean;
  /** Pings to clients and from them. Default: none are sent, all are answered. */
  readonly keepalive?: ServerKeepalive;
  /**
   * How long a connection may last, in milliseconds, give or take 10 %: then its client is told to make another one, as a
   * balancer in front of several servers needs it. Default for ever.
   */
  readonly maxConnectionAgeMs?: number;
  /** How long the calls of such a connection may still take, in milliseconds. Default for ever. */
  readonly maxConnectionAgeGraceMs?: number;
  /** How long a connection may be without calls before it is closed, in milliseconds. Default for ever. */
  readonly maxConnectionIdleMs?: number;
  /**
   * Options of grpc-js' server; they come before everything else that leads to one. But HTTP/2's settings are those of
   * `limits`: `connectionCalls` in place of `grpc.max_concurrent_streams`, `streamWindowBytes`, `metadataBytes`. Default none.
   */
  readonly channelOptions?: ChannelOptions;
}

/** A gRPC server. */
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
   * @param address `tcp://127.0.0.1:50051` (port 0 takes a free one), `unix:///path`, `unix:@name`, `vsock://any:1024`,
   * `hvsock:///path:1024` for the connections that a guest begins (its monitor connects to the unix socket `/path_1024`), or
   * `fd://3` for an inherited listening socket. A unix socket is created with mode 0600, in a folder that is made with mode
   * 0700 where it is missing. Those of vsock need the package `@guestwire/vsock`.
   * @returns The address that clients use.
   * @throws {RpcError} Code.FailedPrecondition for a host that is not loopback where the server has no TLS, unless
   * `allowRemotePlaintext` is set; Code.AlreadyExists when another process listens there; Code.InvalidArgument for a bad
   * address; Code.Unimplemented for vsock where its package is missing; Code.Unavailable after `close`; other codes by the
   * system's error.
   */
  listen(address: string): Promise<string>;
  /**
   * Serves one connection that is open already, in plaintext whatever `tls` says.
   *
   * @param stream Any Duplex; it is destroyed at the end.
   * @param peer Who is at the other end, for handlers. Default a nameless one.
   * @throws {RpcError} Code.InvalidArgument when the stream is no Duplex.
   */
  attach(stream: Duplex, peer?: Peer): void;
  /**
   * Replaces certificate, key and authorities. New connections use them; those that are open go on.
   *
   * @throws {RpcError} Code.InvalidArgument naming the part that is wrong, the old ones stay in use then;
   * Code.FailedPrecondition when the server was made without TLS.
   */
  updateTls(tls: TlsOptions): void;
  /**
   * Stops listening, tells clients to send no new calls, waits for the running ones and closes all connections.
   * After `graceMs` (default 5,000) the connections that are left are cut and the signals of their handlers fire.
   */
  close(options?: CloseOptions): Promise<void>;
}

const times = ["maxConnectionAgeMs", "maxConnectionAgeGraceMs", "maxConnectionIdleMs"] as const;
const keepaliveTimes = ["timeMs", "timeoutMs", "minPingIntervalMs"] as const;

const known: ReadonlySet<string> = new Set<keyof ServeOptions>([
  "interceptors",
  "authorize",
  "limits",
  "tls",
  "allowRemotePlaintext",
  "keepalive",
  "maxConnectionAgeMs",
  "maxConnectionAgeGraceMs",
  "maxConnectionIdleMs",
  "channelOptions",
]);

/** @throws {RpcError} Code.InvalidArgument naming an option that does not exist, or a time that is none. */
export function checkServeOptions(options: ServeOptions): void {
  checkKnown("serve()", options, known);
  if (options.tls !== undefined && (typeof options.tls !== "object" || options.tls === null)) {
    throw new RpcError(
      Code.InvalidArgument,
      `tls must be { cert, key } or what watchTlsFiles gave, not ${String(options.tls)}`,
    );
  }
  if (options.keepalive !== undefined) checkKnown("keepalive", options.keepalive, new Set(keepaliveTimes));
  for (const name of times) checkTime(name, options[name]);
  for (const name of keepaliveTimes) checkTime(`keepalive.${name}`, options.keepalive?.[name]);
}

function checkTime(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === "number" && value >= 0 && value < 2 ** 31)) return;
  throw new RpcError(Code.InvalidArgument, `${name} must be a number of milliseconds below 2^31, not ${String(value)}`);
}

/** The options in the form of grpc-js. */
export function grpcServerOptions(options: ServeOptions, limits: Limits): ChannelOptions {
  const { keepalive = {}, maxConnectionAgeMs, maxConnectionAgeGraceMs, maxConnectionIdleMs } = options;
  return {
    // Costs every call, and nobody can read it without the service for it, which needs grpc-js' own way to be served.
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": limits.receiveMessageBytes,
    // Checked before grpc-js, which would not tell the handler.
    "grpc.max_send_message_length": -1,
    ...(keepalive.timeMs !== undefined && { "grpc.keepalive_time_ms": keepalive.timeMs }),
    ...(keepalive.timeoutMs !== undefined && { "grpc.keepalive_timeout_ms": keepalive.timeoutMs }),
    ...(maxConnectionAgeMs !== undefined && { "grpc.max_connection_age_ms": maxConnectionAgeMs }),
    ...(maxConnectionAgeGraceMs !== undefined && { "grpc.max_connection_age_grace_ms": maxConnectionAgeGraceMs }),
    ...(maxConnectionIdleMs !== undefined && { "grpc.max_connection_idle_ms": maxConnectionIdleMs }),
    ...options.channelOptions,
  };
}
