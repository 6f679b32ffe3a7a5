// Puts vsock descriptors into the hands of Node: libuv takes unix sockets only, but reads, writes and accepts on whatever its number leads to.
// So a unix socket is handed over first and replaced by the vsock one (dup3) before the event loop has looked at it.
// From then on the number belongs to the handle: closed by destroy(), and when a worker thread ends.
import { type Server, Socket } from "node:net";
import { check, unavailable } from "./errors.js";
import { unnamedUnixAddress } from "./sockaddr.js";
import { AF_UNIX, AF_VSOCK, O_CLOEXEC, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, type Syscalls } from "./syscalls.js";

/** A socket of Node with the descriptor that it owns. */
export interface OwnedSocket {
  readonly socket: Socket;
  readonly fd: number;
}

/** Opens an AF_VSOCK descriptor, non-blocking. @throws {Error} `ERR_VSOCK_UNAVAILABLE` where the kernel has none. */
export function openVsock(calls: Syscalls): number {
  const fd = calls.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    return check(fd, "socket");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAFNOSUPPORT") throw error;
    throw unavailable("the kernel has no vsock; load it (modprobe vsock, in a VM vmw_vsock_virtio_transport)", error);
  }
}

/**
 * Opens an AF_VSOCK socket that is not connected yet and does not read yet; `read(0)` starts that.
 *
 * It is Node's from the start, since a descriptor that only this code knows of would outlive a worker thread that is terminated.
 */
export function openSocket(calls: Syscalls, allowHalfOpen: boolean): OwnedSocket {
  return withVsock(calls, (vsock) => {
    const fd = openStandIn(calls);
    // `manualStart` is not in Node's documentation; standard input is opened with it. Without it Node would read at once, and the
    // read would take a failed connect's error away.
    const options = { fd, readable: true, writable: true, allowHalfOpen, manualStart: true };
    const socket = closing(calls, fd, () => new Socket(options));
    try {
      check(calls.dup3(vsock, fd, O_CLOEXEC), "dup3");
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return { socket, fd };
  });
}

/**
 * Makes a server listen on a descriptor that is bound, and takes the descriptor's number away.
 *
 * @returns The number that the server has.
 */
export function adoptListener(calls: Syscalls, server: Server, vsock: number, backlog: number): number {
  const fd = openStandIn(calls);
  closing(calls, fd, () => {
    check(calls.bind(fd, unnamedUnixAddress()), "bind");
    // Takes the number at once. What it throws (no permission) is thrown before; other failures are events, and Node has closed it.
    server.listen({ fd, backlog });
  });
  check(calls.dup3(vsock, fd, O_CLOEXEC), "dup3");
  return fd;
}

/** Opens an AF_VSOCK descriptor for the time of `use`; a copy made by dup3 stays. */
export function withVsock<Result>(calls: Syscalls, use: (vsock: number) => Result): Result {
  const vsock = openVsock(calls);
  try {
    return use(vsock);
  } finally {
    calls.close(vsock);
  }
}

function openStandIn(calls: Syscalls): number {
  return check(calls.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

/** Closes a descriptor when what should take it over fails. */
function closing<Result>(calls: Syscalls, fd: number, take: () => Result): Result {
  try {
    return take();
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}
