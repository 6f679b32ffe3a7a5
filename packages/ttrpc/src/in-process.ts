// A channel to a server of the same process with real frames between: for tests that should meet the wire.
import type { Channel } from "@guestwire/rpc";
import { openChannel } from "./channel.js";
import type { ConnectOptions } from "./connect-options.js";
import { linkPair } from "./memory-link.js";
import { type Server, TtrpcServer } from "./server.js";

/**
 * Connects to a server in the same process. All bytes are framed, encoded and decoded as on a socket; only the socket is
 * missing. Without frames, and faster: `createInProcessChannel` of `@guestwire/rpc`.
 *
 * @param server What `serve()` gave; it need not listen.
 * @param options As for `connect()`.
 */
export function connectInProcess(server: Server, options: ConnectOptions = {}): Channel {
  if (!(server instanceof TtrpcServer)) throw new TypeError("connectInProcess() takes what serve() gave");
  const { clock } = server;
  const peer = { kind: "in-process", address: "in-process:" };
  const dial = async () => {
    const [ours, theirs] = linkPair(clock, peer);
    server.attachLink(theirs);
    return ours;
  };
  return openChannel({ target: peer.address, dial }, options, clock);
}
