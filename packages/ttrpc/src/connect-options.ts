// The options of connect(), and which of them are refused. Knows no channel.
import { type CallDefaults, Code, RpcError } from "@guestwire/rpc";
import { checkKnown, checkSwitch, optionNames } from "@guestwire/rpc/transport";
import type { KeepaliveOptions } from "./keepalive.js";
import type { Limits } from "./limits.js";

/** How a channel behaves. Call defaults and interceptors hold for all of its clients. */
export interface ConnectOptions extends CallDefaults {
  /** How long one attempt to connect may take, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * What calls do while there is no connection to be had. `false` (default): they fail with `Unavailable` when the next
   * attempt fails. `true`: they wait, attempt after attempt, until their deadline, unless the failure is one that no waiting
   * mends (see {@link isPermanentDialError}).
   */
  readonly waitForReady?: boolean;
  /** The pauses between attempts: from `initialMs` (default 20) doubling to `maxMs` (default 1,000), less up to 20 %. */
  readonly backoff?: { readonly initialMs?: number; readonly maxMs?: number };
  /** Bounds that differ from {@link defaultLimits}. */
  readonly limits?: Partial<Limits>;
  /** Finds out that a server is gone although its connection stays open. Default: nothing is asked. */
  readonly keepalive?: KeepaliveOptions;
  /**
   * Whether to say by `guestwire.control.v1` what ttrpc has no words for: that a unary call was canceled, and that response
   * metadata are wanted. A server that does not know it is asked once per connection. Default true; see docs/control.md.
   */
  readonly control?: boolean;
}

/** The pauses between attempts to connect. */
type Backoff = NonNullable<ConnectOptions["backoff"]>;

const known = optionNames<ConnectOptions>({
  timeoutMs: true,
  signal: true,
  metadata: true,
  interceptors: true,
  connectTimeoutMs: true,
  waitForReady: true,
  backoff: true,
  limits: true,
  keepalive: true,
  control: true,
});

const knownBackoff = optionNames<Backoff>({ initialMs: true, maxMs: true });

const knownKeepalive = optionNames<KeepaliveOptions>({
  timeMs: true,
  timeoutMs: true,
  withoutCalls: true,
  peers: true,
});

/** @throws {RpcError} Code.InvalidArgument naming an option that does not exist, or a switch that is none. */
export function checkConnectOptions(options: ConnectOptions): void {
  checkKnown("connect()", options, known);
  if (options.backoff !== undefined) checkKnown("backoff", options.backoff, knownBackoff);
  if (options.keepalive !== undefined) checkKnown("keepalive", options.keepalive, knownKeepalive);
  checkSwitch("waitForReady", options.waitForReady);
  checkSwitch("control", options.control);
  checkSwitch("keepalive.withoutCalls", options.keepalive?.withoutCalls);
}

/** @throws {RpcError} Code.InvalidArgument for what is no time, naming the option. */
export function positive(name: string, value: number): number {
  if (typeof value === "number" && value > 0) return value;
  throw new RpcError(Code.InvalidArgument, `${name} must be a number of milliseconds above 0, not ${value}`);
}
