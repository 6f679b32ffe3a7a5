// A lock that the kernel releases when its holder ends, however it ends: an abstract unix socket that nobody talks to.
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError } from "../errors.js";

/**
 * Takes a lock of this machine.
 *
 * @returns What holds it; closing it releases the lock. It does not keep the process alive.
 * @throws {RpcError} Code.FailedPrecondition when another process holds it.
 */
export async function takeLock(name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  try {
    await once(server.listen(`\0${name}`), "listening");
  } catch (error) {
    if (!isSystemError(error, "EADDRINUSE")) throw error;
    throw failure(Code.FailedPrecondition, "the state folder is in use by another guest");
  }
  return server.unref();
}
