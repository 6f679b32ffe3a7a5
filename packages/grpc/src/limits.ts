// Every bound of the gRPC transport, with its default and the reason for it. Nothing else.
import { Code, RpcError } from "@guestwire/rpc";

/** Bounds of a channel or a server. All are whole numbers from 1 on. */
export interface Limits {
  /** One received message in bytes, also after it was decompressed. Default 4 MiB, as in every gRPC library. */
  readonly receiveMessageBytes: number;
  /** One sent message in bytes. Default 2^31-1: what a peer accepts is the peer's to say, and larger it accepts none. */
  readonly sendMessageBytes: number;
  /** All metadata of a request, a header or a trailer, in bytes. Default 64 KiB, what Node's HTTP/2 takes. */
  readonly metadataBytes: number;
  /** Calls of one channel that may wait for a connection. Default 65,536; more are refused. */
  readonly waitingCalls: number;
  /** Received messages of one stream that wait to be read. Default 16, as grpc-js has it; then its peer must wait. */
  readonly streamMessages: number;
  /** Received bytes of one stream from which on no further message is taken in. Default 512 KiB: 16 messages of 32 KiB. */
  readonly streamBytes: number;
  /**
   * What a peer may send of one stream before it is read, in bytes (HTTP/2's window, at most 2^31-1). It may be made to
   * hold as much for each of `connectionCalls`. Default 256 KiB: with the 64 KiB of Node both ends wait for each other so
   * often that messages of 32 KiB and of 4 MiB cost 40 % more CPU; 1 MiB brings next to nothing more.
   */
  readonly streamWindowBytes: number;
  /** Calls of one connection that run at a time on a server; further ones wait at the client. Default 1,024. */
  readonly connectionCalls: number;
  /** Handlers of one server that run at a time, over all connections. Default 10,000; more are refused. */
  readonly serverCalls: number;
  /** Connections of one server at a time; further ones are closed at once. Default 1,024. */
  readonly connections: number;
  /** The longest deadline that a server takes from a client, in milliseconds. Default 24 hours; longer ones are cut. */
  readonly deadlineMs: number;
}

const mostWindowBytes = 2 ** 31 - 1;

/** The bounds that hold where nothing else is said. */
export const defaultLimits: Limits = Object.freeze({
  receiveMessageBytes: 4 << 20,
  sendMessageBytes: 2 ** 31 - 1,
  metadataBytes: 64 * 1024,
  waitingCalls: 65_536,
  streamMessages: 16,
  streamBytes: 512 * 1024,
  streamWindowBytes: 256 * 1024,
  connectionCalls: 1024,
  serverCalls: 10_000,
  connections: 1024,
  deadlineMs: 24 * 60 * 60 * 1000,
});

/**
 * Fills up what was given with the defaults.
 *
 * @throws {RpcError} Code.InvalidArgument naming a bound that is unknown, no whole number from 1 on, or too large for HTTP/2.
 */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name)) {
      throw new RpcError(Code.InvalidArgument, `there is no limit called "${name}"`);
    }
    if (!Number.isInteger(value) || value < 1) {
      throw new RpcError(Code.InvalidArgument, `the limit ${name} must be a whole number from 1 on, not ${value}`);
    }
  }
  const { streamWindowBytes = 1 } = given;
  // HTTP/2 has no larger one, and Node would throw where nobody expects it: when a connection opens.
  if (streamWindowBytes > mostWindowBytes) {
    throw new RpcError(
      Code.InvalidArgument,
      `the limit streamWindowBytes must be at most ${mostWindowBytes}, not ${streamWindowBytes}`,
    );
  }
  return { ...defaultLimits, ...given };
}
