// The options of connect(), and what they are in grpc-js. Checks them; makes no channel.
import type { ChannelCredentials, ChannelOptions, compressionAlgorithms, ServiceConfig } from "@grpc/grpc-js";
import { type CallDefaults, Code, RpcError } from "@guestwire/rpc";
import { emptiable } from "./address-list-balancer.js";
import type { ClientTls } from "./client-credentials.js";
import { checkKnown } from "./known-options.js";
import type { Limits } from "./limits.js";
import type { RetryOptions } from "./retries.js";
import type { Target } from "./target.js";

/** When a channel asks a silent peer whether it is still there. */
export interface ClientKeepalive {
  /** After how long without a sign of the server it is asked, in milliseconds. Servers may refuse less than 5 minutes. */
  readonly timeMs: number;
  /** How long the answer may take before the connection counts as lost, in milliseconds. Default 20,000. */
  readonly timeoutMs?: number;
  /** Whether to ask also while no call runs. Default false, as many servers take it amiss. */
  readonly withoutCalls?: boolean;
}

/** How messages are compressed. */
export type Compression = "none" | "gzip" | "deflate";

/** How a channel behaves. Call defaults and interceptors hold for all of its clients. */
export interface ConnectOptions extends CallDefaults {
  /** TLS, and with `cert` and `key` mTLS. Default: none, plain HTTP/2. */
  readonly tls?: ClientTls;
  /** Credentials made with grpc-js itself, in place of `tls`. Default none. */
  readonly credentials?: ChannelCredentials;
  /** How long calls may wait for a connection, in milliseconds; grpc-js itself has no limit. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * What calls do while there is no connection to be had. `false` (default): they fail with `Unavailable` when an attempt
   * fails, and until one succeeds. `true`: they wait until their deadline, unless every address fails in a way that no
   * waiting mends (`isPermanentDialError` of `@guestwire/rpc/transport`); names that gRPC resolves are not looked at so.
   */
  readonly waitForReady?: boolean;
  /** The pauses between attempts to connect: from `initialMs` (default 100) growing to `maxMs` (default 1,000), ± 20 %. */
  readonly backoff?: { readonly initialMs?: number; readonly maxMs?: number };
  /** Bounds that differ from `defaultLimits`. */
  readonly limits?: Partial<Limits>;
  /** Asks a silent server whether it is still there. Default: never. */
  readonly keepalive?: ClientKeepalive;
  /** How requests are compressed. Responses come as the server likes. Default `none`. */
  readonly compression?: Compression;
  /**
   * Which of several addresses take the calls: the first that answers, or all in turn. Default all, in turn, for several
   * addresses and for lists that change; the first that answers for names.
   */
  readonly loadBalancing?: "pick_first" | "round_robin";
  /** Whether and how calls of idempotent methods are repeated, see {@link RetryOptions}. Default false. */
  readonly retries?: boolean | RetryOptions;
  /** gRPC's own service config, where the options above do not say enough. Not together with `retries`. Default none. */
  readonly serviceConfig?: Partial<ServiceConfig> & Record<string, unknown>;
  /** Stands in front of grpc-js' own user agent. Default none. */
  readonly userAgent?: string;
  /** The `:authority` that the server sees. Default: the host and port of the address; `localhost` where it has none. */
  readonly authority?: string;
  /** Options of grpc-js' channel; they come before everything else that leads to one. Default none. */
  readonly channelOptions?: ChannelOptions;
}

const known: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  "timeoutMs",
  "signal",
  "metadata",
  "interceptors",
  "tls",
  "credentials",
  "connectTimeoutMs",
  "waitForReady",
  "backoff",
  "limits",
  "keepalive",
  "compression",
  "loadBalancing",
  "retries",
  "serviceConfig",
  "userAgent",
  "authority",
  "channelOptions",
]);

const knownBackoff: ReadonlySet<string> = new Set(["initialMs", "maxMs"]);
const knownKeepalive: ReadonlySet<string> = new Set<keyof ClientKeepalive>(["timeMs", "timeoutMs", "withoutCalls"]);

/** @throws {RpcError} Code.InvalidArgument naming an option that does not exist, or two that cannot stand together. */
export function checkConnectOptions(options: ConnectOptions): void {
  checkKnown("connect()", options, known);
  if (options.backoff !== undefined) checkKnown("backoff", options.backoff, knownBackoff);
  if (options.keepalive !== undefined) checkKnown("keepalive", options.keepalive, knownKeepalive);
  for (const name of ["userAgent", "authority"] as const) {
    // grpc-js finds a wrong authority out in the midst of a call, where nobody can catch what it throws.
    if (options[name] !== undefined && typeof options[name] !== "string") {
      throw wrong(`${name} must be text, not ${typeof options[name]}`);
    }
  }
  if (options.tls !== undefined && options.credentials !== undefined) {
    throw wrong("tls and credentials cannot be given together");
  }
  const { credentials, waitForReady } = options;
  // Not instanceof: a user's grpc-js may be another copy.
  if (credentials !== undefined && typeof (credentials as { _isSecure?: unknown } | null)?._isSecure !== "function") {
    throw wrong("credentials must be channel credentials of @grpc/grpc-js");
  }
  if (waitForReady !== undefined && typeof waitForReady !== "boolean") {
    throw wrong(`waitForReady must be true or false, not ${String(waitForReady)}`);
  }
  if (options.serviceConfig !== undefined && options.retries) {
    throw wrong("serviceConfig and retries cannot be given together; write the retry policy into the service config");
  }
}

/**
 * The options of grpc-js' channel.
 *
 * @param target Where the channel leads.
 * @throws {RpcError} Code.InvalidArgument naming the option that is wrong.
 */
export function grpcOptions(
  options: ConnectOptions,
  limits: Limits,
  attempts: number,
  { changes, endpoints = [] }: Target,
): ChannelOptions {
  const { keepalive, compression = "none", userAgent, authority, serviceConfig, backoff } = options;
  const algorithm = { none: 0, deflate: 1, gzip: 2 }[compression];
  if (algorithm === undefined) throw wrong(`compression must be none, gzip or deflate, not ${String(compression)}`);
  const balancing =
    options.loadBalancing ?? (changes !== undefined || endpoints.length > 1 ? "round_robin" : "pick_first");
  if (balancing !== "pick_first" && balancing !== "round_robin") {
    throw wrong(`loadBalancing must be pick_first or round_robin, not ${String(balancing)}`);
  }
  const config = { loadBalancingConfig: [{ [balancing]: {} }], ...serviceConfig };
  if (changes !== undefined) config.loadBalancingConfig = emptiable(config.loadBalancingConfig);
  return {
    // Each channel has connections of its own: closing one must not touch another's.
    "grpc.use_local_subchannel_pool": 1,
    // Counters for a debugging service that nobody asked for cost 5 % of a call.
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": limits.receiveMessageBytes,
    "grpc-node.flow_control_window": limits.streamWindowBytes,
    // Bounded here, where the error can name the sizes.
    "grpc.max_send_message_length": -1,
    "grpc.initial_reconnect_backoff_ms": milliseconds("backoff.initialMs", backoff?.initialMs ?? 100),
    "grpc.max_reconnect_backoff_ms": milliseconds("backoff.maxMs", backoff?.maxMs ?? 1000),
    "grpc.service_config": JSON.stringify(config),
    ...(attempts > 5 && { "grpc-node.retry_max_attempts_limit": attempts }),
    ...(compression !== "none" && { "grpc.default_compression_algorithm": algorithm as compressionAlgorithms }),
    ...(keepalive !== undefined && keepaliveOptions(keepalive)),
    ...(userAgent !== undefined && { "grpc.primary_user_agent": userAgent }),
    ...(authority !== undefined && { "grpc.default_authority": authority }),
    ...options.channelOptions,
  };
}

/** @throws {RpcError} Code.InvalidArgument unless it is a number above 0. */
export function milliseconds(name: string, value: number): number {
  if (typeof value === "number" && value > 0) return value;
  throw wrong(`${name} must be a number of milliseconds above 0, not ${String(value)}`);
}

function keepaliveOptions({ timeMs, timeoutMs, withoutCalls }: ClientKeepalive): ChannelOptions {
  return {
    "grpc.keepalive_time_ms": milliseconds("keepalive.timeMs", timeMs),
    "grpc.keepalive_timeout_ms": milliseconds("keepalive.timeoutMs", timeoutMs ?? 20_000),
    "grpc.keepalive_permit_without_calls": withoutCalls === true ? 1 : 0,
  };
}

function wrong(message: string): RpcError {
  return new RpcError(Code.InvalidArgument, message);
}
