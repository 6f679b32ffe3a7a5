// Opens one socket to an address, whatever its kind. One attempt, ended by a signal; trying again is the caller's affair.
// @guestwire/vsock is loaded with the first address that needs it: who uses none need not have it.
import { createConnection, type NetConnectOpts, type OnReadOpts, Socket } from "node:net";
import { type Address, formatAddress } from "./address.js";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";
import { loadVsock } from "./vsock-package.js";

/** When to give up. */
export interface DialAddressOptions {
  /** Gives the attempt up: nothing of it stays open, and the promise rejects with the signal's reason. Default never. */
  readonly signal?: AbortSignal;
  /**
   * Memory to read into, as for `net.connect()`. Taken for unix and tcp addresses ({@link takesMemory}); sockets of other
   * kinds emit `data`. Default: `data` for all.
   */
  readonly onread?: OnReadOpts;
}

/** Whether a socket to this address can be told what memory to read into. */
export function takesMemory({ kind }: Address): boolean {
  return kind === "unix" || kind === "tcp";
}

/**
 * Opens a connection. A unix socket whose backlog is full for the moment (`EAGAIN`) is tried again until the signal fires;
 * all else is one attempt.
 *
 * @returns The connected socket, from which nothing was read. It is the caller's to end.
 * @throws {RpcError} Code.InvalidArgument for an address that can only be listened on (`vsock://any:…`); Code.Unimplemented
 * where @guestwire/vsock is needed and not installed.
 * @throws {Error} the system's, with its `code` (`ECONNREFUSED`, `ENODEV`, …), or one of @guestwire/vsock.
 */
export async function dialAddress(address: Address, options: DialAddressOptions = {}): Promise<Socket> {
  const { signal } = options;
  signal?.throwIfAborted();
  switch (address.kind) {
    case "fd":
      return new Socket({ fd: address.fd });
    case "tcp":
      return connectSocket({ host: address.host, port: address.port }, options);
    case "unix":
      return connectSocket({ path: address.abstract ? `\0${address.path}` : address.path }, options);
    case "vsock": {
      const { cid, port } = address;
      if (cid === "any") {
        throw new RpcError(
          Code.InvalidArgument,
          `${formatAddress(address)}: "any" is where to listen; to connect, name a cid`,
        );
      }
      const { dial } = await loadVsock(address);
      return dial({ cid, port }, signal === undefined ? {} : { signal });
    }
    case "hvsock": {
      const { dialHybrid } = await loadVsock(address);
      // The caller's time is the only one: a window of kata's is longer than the package's own limit.
      return dialHybrid(
        { path: address.path, port: address.port },
        { ...(signal !== undefined && { signal }), timeoutMs: Number.POSITIVE_INFINITY },
      );
    }
  }
}

function connectSocket(to: NetConnectOpts, { signal, onread }: DialAddressOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let pauseMs = 1;
    let timer: NodeJS.Timeout | undefined;
    let socket: Socket | undefined;
    const stop = (): void => {
      clearTimeout(timer);
      socket?.destroy();
      reject(signal?.reason);
    };
    const attempt = (): void => {
      const opened = createConnection(onread === undefined ? to : { ...to, onread });
      socket = opened;
      const failed = (error: NodeJS.ErrnoException): void => {
        // It may come just behind the signal.
        if (signal?.aborted) return;
        if (error.code === "EAGAIN") {
          timer = setTimeout(attempt, pauseMs);
          pauseMs = Math.min(pauseMs * 2, 50);
          return;
        }
        signal?.removeEventListener("abort", stop);
        reject(error);
      };
      opened.once("error", failed);
      opened.once("connect", () => {
        opened.removeListener("error", failed);
        signal?.removeEventListener("abort", stop);
        resolve(opened);
      });
    };
    signal?.addEventListener("abort", stop, { once: true });
    attempt();
  });
}
