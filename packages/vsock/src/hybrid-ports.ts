// A guest's ports as unix sockets, for the proxy: where a guest process listens in place of vsock. A table only.
import type { Duplex } from "node:stream";
import { checkPath, checkPort, invalid } from "./hybrid-address.js";
import { connectPath } from "./hybrid-connect.js";
import { systemError } from "./hybrid-error.js";

/**
 * The `connect` function of a proxy for a guest whose ports are unix sockets: `unixPorts({ 1025: "/run/guest.sock" })`. The sockets
 * need not be there yet. A port that is not named fails with `ECONNRESET`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when it is no plain object, or a port or a path is wrong.
 */
export function unixPorts(
  ports: Readonly<Record<number, string>>,
): (port: number, signal: AbortSignal) => Promise<Duplex> {
  if (typeof ports !== "object" || ports === null || Object.getPrototypeOf(ports) !== Object.prototype) {
    throw invalid('unixPorts() takes an object from ports to paths: { 1025: "/run/guest.sock" }');
  }
  const table = new Map<number, string>();
  for (const [port, path] of Object.entries(ports)) table.set(checkPort(Number(port)), checkPath(path));
  return async (port, signal) => {
    const path = table.get(port);
    if (path === undefined) throw systemError("ECONNRESET", "connect", `vsock port ${port}`, "nobody serves it");
    return connectPath(path, true, signal);
  };
}
