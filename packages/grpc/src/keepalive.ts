// Pings on a server's connections: which of a client's are too many. Sending our own is grpc-js' affair.
import { constants, type ServerHttp2Session } from "node:http2";

/** How a server finds out that a client is gone, and how often a client may ask the same of it. */
export interface ServerKeepalive {
  /** How long a connection may be silent before the server pings the client, in milliseconds. Default never. */
  readonly timeMs?: number;
  /** How long the answer may take before the connection is closed, in milliseconds. Default 20,000. */
  readonly timeoutMs?: number;
  /**
   * How far apart a client's pings have to be, in milliseconds. Who sends three too early is disconnected with
   * `too_many_pings`, as by other gRPC servers. Default 0: at any pace.
   */
  readonly minPingIntervalMs?: number;
}

// As many early pings are forgiven: the network may bring two at once.
const forgiven = 2;
const reason = Buffer.from("too_many_pings");

/** Disconnects a client that pings too often. */
export function watchPings(session: ServerHttp2Session, { minPingIntervalMs = 0 }: ServerKeepalive): void {
  if (minPingIntervalMs === 0) return;
  let last = Number.NEGATIVE_INFINITY;
  let strikes = 0;
  session.on("ping", () => {
    const now = performance.now();
    if (now - last >= minPingIntervalMs) strikes = 0;
    else if (++strikes > forgiven && !session.destroyed) {
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, undefined, reason);
      session.destroy();
    }
    last = now;
  });
}
