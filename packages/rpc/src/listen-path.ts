// The file that a listening unix socket is: private from its first moment, in the place of a stale one, never of a live one.
// Loaded when somebody listens on a path, and not before.
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { inUse } from "./address-in-use.js";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

/**
 * Binds a socket to a path.
 *
 * @param bind Binds before it returns; what it returns ends when the socket listens.
 * @throws {RpcError} Code.AlreadyExists when somebody listens there; Code.FailedPrecondition when no socket stands there.
 */
export async function bindPath(path: string, text: string, bind: () => Promise<void>): Promise<void> {
  await makeFolder(dirname(path));
  await removeStale(path, text);
  // The socket must never be open to others, not even for a moment. A worker cannot set the mask; its folder protects.
  const mask = isMainThread ? process.umask(0o177) : undefined;
  // The path is bound before this returns, and so with the mask above; what it throws becomes a rejection.
  const ready = bind();
  // At once: after an await it could be another one that somebody has set meanwhile.
  if (mask !== undefined) process.umask(mask);
  await ready;
  if (mask === undefined) await chmod(path, 0o600);
}

/**
 * Makes a folder and those above it, where they are missing. Not with mkdir's own `recursive`, which tries for ever where a
 * file system takes no folders but does not say so (`/proc`).
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const above = dirname(path);
    if (code !== "ENOENT" || above === path) throw error;
    await makeFolder(above);
    await mkdir(path, { mode: 0o700 }).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== "EEXIST") throw again;
    });
  }
}

/** Removes a socket file that nobody listens on. */
async function removeStale(path: string, text: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new RpcError(Code.FailedPrecondition, `${text}: the path exists and is not a socket`);
  if (await isLive(path)) throw inUse(text);
  // Another process may have put its own socket there meanwhile.
  const now = await lstat(path).catch(() => undefined);
  if (now !== undefined && now.ino === found.ino) await unlink(path).catch(() => {});
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
