// Listens for connections that a guest opens to its host. Sockets are private, replace stale ones, never live ones.
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { type HybridAddress, hybridListenPath } from "./hybrid-address.js";
import { systemError } from "./hybrid-error.js";

/** How to listen; all as of Node's own servers. */
export interface HybridListenOptions {
  /** Connections that wait to be accepted. @defaultValue 511 */
  readonly backlog?: number;
  /** Whether an accepted socket's writable side stays open after the peer's end. @defaultValue false */
  readonly allowHalfOpen?: boolean;
  /** Whether accepted sockets start paused. @defaultValue false */
  readonly pauseOnConnect?: boolean;
}

/**
 * Listens for connections that the guest opens to `port` of the host (CID 2): on the unix socket `<path>_<port>`, to which the VMM
 * connects. Listen before the VM starts. There is no handshake in this direction; the sockets are the plain connections.
 *
 * The socket is private (0600); missing folders are made (0700); a socket that nobody listens on is replaced.
 *
 * @throws {Error} `EADDRINUSE` when somebody listens there; `ENOTSOCK` when something else stands at the path; otherwise the
 * system's error.
 */
export async function listenHybrid(
  address: HybridAddress,
  options: HybridListenOptions = {},
  onConnection?: (socket: Socket) => void,
): Promise<Server> {
  const path = hybridListenPath(address.path, address.port);
  const { backlog, ...serverOptions } = options;
  const server = createServer(serverOptions, onConnection);
  await listenPrivately(server, path, backlog);
  return server;
}

/** Makes a server listen on a unix socket that only its owner can open. A failed accept does not end the process afterwards. */
export async function listenPrivately(server: Server, path: string, backlog?: number): Promise<void> {
  await mkdirs(dirname(path));
  await removeStale(path);
  // Never open to others, not even for a moment. A worker cannot set the mask; there the mode follows at once.
  const mask = isMainThread ? process.umask(0o177) : undefined;
  const ready = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve();
    });
    // Binds before it returns, and so with the mask above.
    server.listen(backlog === undefined ? { path } : { path, backlog });
  });
  if (mask !== undefined) process.umask(mask);
  await ready;
  if (mask === undefined) await chmod(path, 0o600);
  server.on("error", () => {});
}

/** Not with mkdir's own `recursive`, which never ends on file systems such as `/proc`. */
async function mkdirs(path: string): Promise<void> {
  const made = (): Promise<void> => mkdir(path, { mode: 0o700 });
  const unlessThere = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EEXIST") throw error;
  };
  await made().catch(async (error: NodeJS.ErrnoException) => {
    const above = dirname(path);
    if (error.code !== "ENOENT" || above === path) return unlessThere(error);
    await mkdirs(above);
    await made().catch(unlessThere);
  });
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(unlessMissing);
  if (found === undefined) return;
  if (!found.isSocket())
    throw systemError("ENOTSOCK", "listen", path, "something that is no socket stands at the path");
  if (await isLive(path)) throw systemError("EADDRINUSE", "listen", path, "somebody listens there");
  // Another process may have put its own socket there meanwhile.
  const now = await lstat(path).catch(unlessMissing);
  if (now?.ino === found.ino) await unlink(path).catch(unlessMissing);
}

function isLive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      // A full backlog is somebody's.
      else if (error.code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
