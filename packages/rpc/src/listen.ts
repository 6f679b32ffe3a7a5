// Opens a server's listening socket for an address, whatever its kind. Files belong to listen-path.ts, which is loaded with
// the first path: most programs are clients, and the modules for files cost their start more than a millisecond.
import { createServer, type Server, type Socket } from "node:net";
import { type Address, formatAddress } from "./address.js";
import { inUse } from "./address-in-use.js";
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
  const { bindPath } = await import("./listen-path.js");
  await bindPath(path, text, () => listening(server, () => server.listen(path)));
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

function listenError(error: unknown, text: string): RpcError {
  if (error instanceof RpcError) return error;
  if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return inUse(text);
  if (text.startsWith("fd:") && (error as NodeJS.ErrnoException).code === "EINVAL") {
    return new RpcError(Code.InvalidArgument, `cannot listen on ${text}: the descriptor is no listening socket`);
  }
  const { code, rawMessage } = RpcError.from(error, Code.FailedPrecondition);
  return new RpcError(code, `cannot listen on ${text}: ${rawMessage}`, { cause: error });
}
