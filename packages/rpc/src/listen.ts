// Opens a server's listening socket for an address, whatever its kind. Unix sockets are private, replace stale ones, never
// live ones.
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { type Address, formatAddress } from "./address.js";
import { Code } from "./code.js";
import type { Peer } from "./handler-context.js";
import { RpcError } from "./rpc-error.js";
import { loadVsock } from "./vsock-package.js";

/** The kernel chooses a free port for this one, as TCP does for 0. */
const anyVsockPort = 0xffff_ffff;

/** An open listening socket. */
export interface Listener {
  /** The address that clients use; with the real port where 0 was asked for. */
  readonly address: string;
  readonly server: Server;
}

/** Takes a connection, and who is at its other end as far as its socket tells. */
export type Accept = (socket: Socket, peer: Peer) => void;

/**
 * Opens a listening socket. An `hvsock:` address takes the connections that the guest begins: its virtual machine monitor
 * connects to the unix socket `<path>_<port>`.
 *
 * @param accept Called for every connection.
 * @throws {RpcError} Code.AlreadyExists when somebody listens there already; Code.FailedPrecondition when something that
 * is no socket stands at the path; Code.Unimplemented where @guestwire/vsock is needed and not installed; otherwise the
 * system's error as a code.
 */
export async function openListener(address: Address, accept: Accept): Promise<Listener> {
  const text = formatAddress(address);
  try {
    const listener =
      address.kind === "vsock" ? await listenOnVsock(address, accept) : await listenOnNet(address, accept);
    // A failed accept (no descriptor left, for one) must not end the process; the listener goes on.
    listener.server.on("error", () => {});
    return listener;
  } catch (error) {
    throw listenError(error, text);
  }
}

async function listenOnVsock(address: Address & { kind: "vsock" }, accept: Accept): Promise<Listener> {
  const { listen } = await loadVsock(address);
  const { cid, port } = address;
  const server = await listen({ cid, port: port === 0 ? anyVsockPort : port }, {}, (socket) => {
    const { remoteCid, remotePort } = socket;
    accept(socket, { kind: "vsock", address: formatAddress({ kind: "vsock", cid: remoteCid, port: remotePort }) });
  });
  return { address: formatAddress({ ...address, port: server.port }), server };
}

async function listenOnNet(address: Exclude<Address, { kind: "vsock" }>, accept: Accept): Promise<Listener> {
  const text = formatAddress(address);
  const { kind } = address;
  const server = createServer((socket) => {
    accept(socket, { kind, address: kind === "tcp" ? remoteAddress(socket) : text });
  });
  if (kind === "unix" && !address.abstract) await listenOnPath(server, address.path, text);
  else if (kind === "unix") await listening(server, () => server.listen(`\0${address.path}`));
  else if (kind === "hvsock") await listenOnPath(server, await hybridPath(address), text);
  else if (kind === "fd") await listening(server, () => server.listen({ fd: address.fd }));
  else await listening(server, () => server.listen(address.port, address.host));
  return { address: kind === "tcp" ? realPort(address, server) : text, server };
}

async function hybridPath(address: Address & { kind: "hvsock" }): Promise<string> {
  const { hybridListenPath } = await loadVsock(address);
  return hybridListenPath(address.path, address.port);
}

/** Where a tcp connection came from; without a host where it has ended already. */
function remoteAddress({ remoteAddress: host = "", remotePort: port = 0 }: Socket): string {
  return formatAddress({ kind: "tcp", host, port });
}

async function listenOnPath(server: Server, path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  await removeStale(path, text);
  // The socket must never be open to others, not even for a moment. A worker cannot set the mask; its folder protects.
  const mask = isMainThread ? process.umask(0o177) : undefined;
  // The path is bound before this returns, and so with the mask above; what it throws becomes a rejection.
  const ready = listening(server, () => server.listen(path));
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

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve();
    });
    listen();
  });
}

function realPort(address: Address & { kind: "tcp" }, server: Server): string {
  const bound = server.address();
  return formatAddress(typeof bound === "object" && bound !== null ? { ...address, port: bound.port } : address);
}

function inUse(text: string): RpcError {
  return new RpcError(Code.AlreadyExists, `${text} is in use already`);
}

function listenError(error: unknown, text: string): RpcError {
  if (error instanceof RpcError) return error;
  if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return inUse(text);
  if (text.startsWith("fd:") && (error as NodeJS.ErrnoException).code === "EINVAL") {
    return new RpcError(Code.InvalidArgument, `cannot listen on ${text}: the descriptor is no listening socket`);
  }
  const { code, rawMessage } = RpcError.from(error, Code.FailedPrecondition);
  return new RpcError(code, `cannot listen on ${text}: ${rawMessage}`, { cause: error });
}
