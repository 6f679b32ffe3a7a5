// Hybrid vsock addresses: a VMM's unix socket and a port. Checks and names only; nothing is opened here.

/** A vsock port behind the unix socket of a VMM. */
export interface HybridAddress {
  /** The unix socket of the VMM. */
  readonly path: string;
  /** The vsock port, 0 to 2³²-2. */
  readonly port: number;
}

// What the kernel's sockaddr_un holds, less the NUL at the end.
const longestPath = 107;

/**
 * The unix socket that a VMM connects to when the guest opens a connection to `port` of the host: `<path>_<port>`.
 *
 * @param path The unix socket of the VMM.
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when the path or the port is wrong, or both together are too long for a socket.
 */
export function hybridListenPath(path: string, port: number): string {
  checkPort(port);
  checkPath(path);
  return checkPath(`${path}_${port}`);
}

/** @throws {TypeError} `ERR_INVALID_ARG_VALUE` naming the part that is wrong. */
export function checkAddress(address: HybridAddress): HybridAddress {
  return { path: checkPath(address.path), port: checkPort(address.port) };
}

/** @throws {TypeError} `ERR_INVALID_ARG_VALUE` when it cannot be a unix socket's path. */
export function checkPath(path: string): string {
  if (typeof path !== "string" || path === "")
    throw invalid("the path of a hybrid vsock must be a string that is not empty");
  if (/^[a-z]+:\/\//.test(path)) throw invalid(`"${path}" is an address; give the path of the unix socket alone`);
  if (path.includes("\0")) throw invalid(`the path ${JSON.stringify(path)} holds a NUL`);
  const size = Buffer.byteLength(path, "utf8");
  if (size > longestPath) throw invalid(`the path ${path} has ${size} bytes; a socket's may have ${longestPath}`);
  return path;
}

/** @throws {TypeError} `ERR_INVALID_ARG_VALUE` when it is no vsock port. */
export function checkPort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 2 ** 32 - 2) {
    throw invalid(
      `the vsock port ${typeof port === "string" ? JSON.stringify(port) : String(port)} is not a whole number from 0 to ${2 ** 32 - 2}`,
    );
  }
  return port;
}

/**
 * Gives a time limit as a delay for a timer; `Infinity` becomes the longest that there is, 24 days.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when it is no number above 0.
 */
export function checkTimeout(name: string, ms: number): number {
  if (typeof ms !== "number" || !(ms > 0))
    throw invalid(
      `${name} must be a number of milliseconds above 0, not ${typeof ms === "string" ? JSON.stringify(ms) : String(ms)}`,
    );
  return Math.min(ms, 2 ** 31 - 1);
}

/** An argument's error, in the form of Node's own. */
export function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_VALUE" });
}
