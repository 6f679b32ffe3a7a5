// The parts of the product that are simulated, as a value: so that a copy with a planted bug can take their place.
import type { openChannel } from "../../../ttrpc/src/channel.js";
import type { TtrpcServer } from "../../../ttrpc/src/server.js";

export type { Dialer } from "../../../ttrpc/src/dial.js";
export type { Limits } from "../../../ttrpc/src/limits.js";
export type { Clock, Link, LinkHandler, Timer } from "../../../ttrpc/src/link.js";
export type { TtrpcServer } from "../../../ttrpc/src/server.js";

/** The real channel and the real server. */
export interface Product {
  readonly openChannel: typeof openChannel;
  readonly TtrpcServer: typeof TtrpcServer;
}

/** Loads the compiled product. */
export async function loadProduct(): Promise<Product> {
  const built = new URL("../../../ttrpc/dist/", import.meta.url);
  const [channel, server] = (await Promise.all([
    import(new URL("channel.js", built).href),
    import(new URL("server.js", built).href),
  ])) as [Pick<Product, "openChannel">, Pick<Product, "TtrpcServer">];
  return { openChannel: channel.openChannel, TtrpcServer: server.TtrpcServer };
}
