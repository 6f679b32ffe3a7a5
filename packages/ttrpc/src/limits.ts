// Every bound of the ttrpc transport, with its default and the reason for it. Nothing else.
import { Code, RpcError } from "@guestwire/rpc";
import { protocolMaxBytes } from "./frame.js";

/** Bounds of a connection, a server or a channel. All are whole numbers from 1 on. */
export interface Limits {
  /** The data of one frame in bytes, both ways. Default 4 MiB, the protocol's own and the most allowed. */
  readonly messageBytes: number;
  /** Service and method name together, in bytes. Default 512: real names stay below 100. */
  readonly nameBytes: number;
  /** Metadata pairs of one request. Default 128, many more than tracing and namespaces need. */
  readonly metadataPairs: number;
  /** One metadata value, in bytes. Default 8 KiB, as gRPC's servers have it for all of a header. */
  readonly metadataValueBytes: number;
  /** All metadata of one request, in bytes. Default 64 KiB. */
  readonly metadataBytes: number;
  /**
   * Calls of one connection that run at a time. A server refuses more with `ResourceExhausted` and counts a call until
   * its handler returns, so canceling does not help an attacker; a client keeps more waiting in order. Default 1,024.
   */
  readonly connectionCalls: number;
  /** Handlers of one server that run at a time, over all connections. Default 10,000. */
  readonly serverCalls: number;
  /** Calls of one channel that may wait for a connection or for their turn. Default 65,536; more are refused. */
  readonly waitingCalls: number;
  /** Connections of one server at a time; further ones are closed at once. Default 1,024. */
  readonly connections: number;
  /** Received messages of one stream that wait to be read. Default 64, as in Go; then the stream counts as full. */
  readonly streamMessages: number;
  /** Received bytes of one stream that wait to be read. Default 4 MiB; then the stream counts as full. */
  readonly streamBytes: number;
  /** Received bytes of all streams of one connection that wait to be read. Default 16 MiB; the fullest stream fails. */
  readonly receiveBytes: number;
  /**
   * How long a full stream may go without being read while other calls share its connection, in milliseconds.
   * Default 1,000, as in Go; then it fails with `ResourceExhausted`.
   */
  readonly stallMs: number;
  /** Bytes written and not yet sent, from where streams wait before they send more. Default 256 KiB: a kernel buffer. */
  readonly streamSendBytes: number;
  /** Bytes written and not yet sent, from where new calls wait as well. Default 16 MiB. */
  readonly sendBytes: number;
  /** Bytes written and not yet sent, from where the connection is closed. Default 64 MiB: the peer does not read. */
  readonly sendLimitBytes: number;
  /** The longest deadline that a server takes from a client, in milliseconds. Default 24 hours; longer ones are cut. */
  readonly deadlineMs: number;
  /** How long one frame may take from its first byte to its last, in milliseconds. Default 30,000. */
  readonly frameMs: number;
  /** Frames handled in one turn of the event loop before other work gets its turn. Default 1,000: about 2 ms. */
  readonly framesPerTurn: number;
}

/** The bounds that hold where nothing else is said. */
export const defaultLimits: Limits = Object.freeze({
  messageBytes: protocolMaxBytes,
  nameBytes: 512,
  metadataPairs: 128,
  metadataValueBytes: 8 * 1024,
  metadataBytes: 64 * 1024,
  connectionCalls: 1024,
  serverCalls: 10_000,
  waitingCalls: 65_536,
  connections: 1024,
  streamMessages: 64,
  streamBytes: 4 << 20,
  receiveBytes: 16 << 20,
  stallMs: 1000,
  streamSendBytes: 256 * 1024,
  sendBytes: 16 << 20,
  sendLimitBytes: 64 << 20,
  deadlineMs: 24 * 60 * 60 * 1000,
  frameMs: 30_000,
  framesPerTurn: 1000,
});

/**
 * Fills up what was given with the defaults.
 *
 * @throws {RpcError} Code.InvalidArgument naming a bound that is unknown, no whole number from 1 on, or too high.
 */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  let some = false;
  for (const [name, value] of Object.entries(given)) {
    some = true;
    if (!Object.hasOwn(defaultLimits, name))
      throw new RpcError(Code.InvalidArgument, `there is no limit called "${name}"`);
    if (!Number.isInteger(value) || value < 1) {
      throw new RpcError(Code.InvalidArgument, `the limit ${name} must be a whole number from 1 on, not ${value}`);
    }
  }
  // One object for all connections that have nothing of their own.
  if (!some) return defaultLimits;
  const limits = { ...defaultLimits, ...given };
  if (limits.messageBytes > protocolMaxBytes) {
    throw new RpcError(
      Code.InvalidArgument,
      `the limit messageBytes must not be over the protocol's ${protocolMaxBytes}, not ${limits.messageBytes}`,
    );
  }
  return limits;
}
