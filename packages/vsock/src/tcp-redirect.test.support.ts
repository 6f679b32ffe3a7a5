// For tests on machines without vsock: real system calls whose vsock sockets are TCP sockets of this machine's loopback.
// CID n is 127.0.0.n. Nothing else is replaced: the descriptors, their states and their errors are the kernel's.
import { readdirSync, readlinkSync } from "node:fs";
import { koffiSyscalls } from "./backend-koffi.js";
import { hasNodeFfi, nodeFfiSyscalls } from "./backend-node-ffi.js";
import { cids } from "./cids.js";
import { check } from "./errors.js";
import { decodeSockaddr, encodeSockaddr, sockaddrSize } from "./sockaddr.js";
import { AF_VSOCK, intBytes, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, type Syscalls } from "./syscalls.js";

const AF_INET = 2;
const ENODEV = 19;
/** The CID that no machine has. */
export const nobody = 99;

/** The backends of this Node. */
export const backends: ReadonlyArray<readonly [name: string, calls: Syscalls]> = [
  ["koffi", koffiSyscalls()],
  ...(hasNodeFfi() ? [["node:ffi", nodeFfiSyscalls()] as const] : []),
];

/** Turns vsock addresses into TCP ones, and back. `options` collects the vsock options that were set, as bytes. */
export function redirect(calls: Syscalls, options: Uint8Array[] = []): Syscalls {
  const named = (ask: Syscalls["getsockname"]): Syscalls["getsockname"] => {
    return (fd, address, length) => {
      const result = ask(fd, address, length);
      if (result >= 0) address.set(fromInternet(address));
      return result;
    };
  };
  return {
    ...calls,
    socket: (family, type, protocol) => calls.socket(family === AF_VSOCK ? AF_INET : family, type, protocol),
    connect(fd, address) {
      return decodeSockaddr(address).cid === nobody ? -ENODEV : calls.connect(fd, toInternet(address));
    },
    bind: (fd, address) => calls.bind(fd, address.length === sockaddrSize ? toInternet(address) : address),
    getsockname: named(calls.getsockname),
    getpeername: named(calls.getpeername),
    setsockopt(fd, level, option, value) {
      if (level !== AF_VSOCK) return calls.setsockopt(fd, level, option, value);
      options.push(value);
      return 0;
    },
  };
}

/** A port whose listener never accepts and whose queue is full: connects to it stay pending. */
export function stuckListener(calls: Syscalls): { port: number; close(): void } {
  const redirected = redirect(calls);
  const fds: number[] = [];
  const open = (): number => {
    const fd = check(redirected.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    fds.push(fd);
    return fd;
  };
  const listener = open();
  check(redirected.bind(listener, encodeSockaddr({ cid: cids.local, port: cids.any })), "bind");
  check(redirected.listen(listener, 0), "listen");
  const name = new Uint8Array(sockaddrSize);
  check(redirected.getsockname(listener, name, intBytes(sockaddrSize)), "getsockname");
  const address = decodeSockaddr(name);
  redirected.connect(open(), encodeSockaddr(address));
  return { port: address.port, close: () => fds.forEach((fd) => void calls.close(fd)) };
}

/** How many sockets this process has open. */
export function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

function toInternet(bytes: Uint8Array): Uint8Array {
  const { cid, port } = decodeSockaddr(bytes);
  const internet = new DataView(new ArrayBuffer(sockaddrSize));
  new Uint16Array(internet.buffer, 0, 1)[0] = AF_INET;
  internet.setUint16(2, port === 0xffffffff ? 0 : port);
  internet.setUint32(4, cid === cids.any ? 0 : 0x7f000000 + cid);
  return new Uint8Array(internet.buffer);
}

function fromInternet(bytes: Uint8Array): Uint8Array {
  const internet = new DataView(bytes.slice(0, sockaddrSize).buffer);
  const host = internet.getUint32(4);
  return encodeSockaddr({ cid: host === 0 ? cids.any : host - 0x7f000000, port: internet.getUint16(2) });
}
