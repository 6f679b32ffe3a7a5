// What the tests inside a VM share. They run on the built package, with node:test, on each version of Node.
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { anyPort, cids, dial, listen } from "../../dist/index.js";

/** A port where nobody listens in these VMs. */
export const deadPort = 4_000_000_000;

/** Dials a server of this machine over loopback. */
export function dialLocal(port, options) {
  return dial({ cid: cids.local, port }, options);
}

/** Listens on a free port; the server ends with the test. */
export async function listenLocal(test, onConnection, options) {
  const server = await listen({ port: anyPort }, options, onConnection);
  test.after(() => server.close());
  return server;
}

/** Both ends of a connection; they end with the test. */
export async function connected(test, { server: serverOptions = {}, client = {} } = {}) {
  const server = await listenLocal(test, undefined, serverOptions);
  const accepted = once(server, "connection");
  const socket = await dialLocal(server.port, client);
  const [peer] = await accepted;
  test.after(() => void [socket.destroy(), peer.destroy()]);
  return { server, socket, peer };
}

/** Waits until a socket is closed; gives what happened to it on the way. */
export async function closing(socket) {
  const events = [];
  socket.on("end", () => events.push("end"));
  socket.on("error", (error) => events.push(error.code));
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return events;
}

/** Reads to the end. Not by iterating, which would destroy the socket then. */
export async function read(socket) {
  const chunks = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** The error that a promise rejects with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** How many sockets this process has open. */
export function openSockets() {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}
