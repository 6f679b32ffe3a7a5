// Every bound of this transport, with its default and the reason for it. Nothing else.
import { Code, RpcError } from "@guestwire/rpc";
import { fixedBytes, protocolMaxBytes } from "./frame.js";

/** Bounds of a channel or a server. All are whole numbers from 1 on. */
export interface Limits {
  /**
   * The longest frame in bytes, as its length field counts (number, trace and payload), both ways. Default 16 MiB, which
   * real hosts take at most and real agents do not check.
   */
  readonly frameBytes: number;
  /** How long one frame may take from its first byte to its last, in milliseconds. Default 30,000. */
  readonly frameMs: number;
  /**
   * Bytes received and not yet asked for, from where a connection is read no more: standard input that a handler does not
   * read, outputs that a caller does not read. Default 1 MiB, as what is behind them, the peer's end too, is not seen.
   */
  readonly unreadBytes: number;
  /** Connections of a channel for calls with one answer; further calls wait in order. Default 8. */
  readonly callConnections: number;
  /** Connections of a channel for streams, each of which holds one to its end; further streams wait. Default 64. */
  readonly streamConnections: number;
  /** Calls of a channel that may wait for a connection. Default 65,536; more are refused. */
  readonly waitingCalls: number;
  /** How long a channel keeps a connection that no call uses, in milliseconds. Default 30,000. */
  readonly idleMs: number;
  /** Connections of a server at a time; further ones are closed at once. Default 1,024. */
  readonly connections: number;
  /** How long a closed connection may take to send what was written and its peer to close, in milliseconds. Default 5,000. */
  readonly lingerMs: number;
}

/** The bounds that hold where nothing else is said. */
export const defaultLimits: Limits = Object.freeze({
  frameBytes: protocolMaxBytes,
  frameMs: 30_000,
  unreadBytes: 1 << 20,
  callConnections: 8,
  streamConnections: 64,
  waitingCalls: 65_536,
  idleMs: 30_000,
  connections: 1024,
  lingerMs: 5000,
});

/**
 * Fills up what was given with the defaults.
 *
 * @throws {RpcError} Code.InvalidArgument naming a bound that is unknown, no whole number from 1 on, or out of range.
 */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name)) {
      throw new RpcError(Code.InvalidArgument, `there is no limit called "${name}"`);
    }
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
      throw new RpcError(
        Code.InvalidArgument,
        `the limit ${name} must be a whole number from 1 to 2^31-1, not ${value}`,
      );
    }
  }
  const limits = { ...defaultLimits, ...given };
  if (limits.frameBytes < fixedBytes || limits.frameBytes > protocolMaxBytes) {
    const range = `from ${fixedBytes} to the ${protocolMaxBytes} that real hosts take`;
    throw new RpcError(Code.InvalidArgument, `the limit frameBytes must be ${range}, not ${limits.frameBytes}`);
  }
  return limits;
}
