// System calls through node:ffi, which newer versions of Node bring along (experimental). Loaded by backend.ts, at the first use.
// Needs no package; under Node's permission model it needs --allow-ffi.
import type * as Ffi from "node:ffi";
import type { Syscalls } from "./syscalls.js";

const { freeze } = Object;
const int = "i32";
const uint = "u32";
const long = "u64";
const bytes = "buffer";

const signatures = freeze({
  socket: { arguments: [int, int, int], return: int },
  connect: { arguments: [int, bytes, uint], return: int },
  bind: { arguments: [int, bytes, uint], return: int },
  listen: { arguments: [int, int], return: int },
  getsockname: { arguments: [int, bytes, bytes], return: int },
  getpeername: { arguments: [int, bytes, bytes], return: int },
  getsockopt: { arguments: [int, int, int, bytes, bytes], return: int },
  setsockopt: { arguments: [int, int, int, bytes, uint], return: int },
  poll: { arguments: [bytes, long, int], return: int },
  dup3: { arguments: [int, int, int], return: int },
  close: { arguments: [int], return: int },
  // Variadic in C. Linux passes integers and pointers the same way on every platform that Node is built for.
  ioctl: { arguments: [int, long, "pointer"], return: int },
  __errno_location: { arguments: [], return: "pointer" },
} as const);

/** Whether this Node has `node:ffi` at all. */
export function hasNodeFfi(): boolean {
  return process.getBuiltinModule?.("node:ffi") !== undefined;
}

/** Opens libc. @throws when this Node has no `node:ffi`, or may not use it. */
export function nodeFfiSyscalls(): Syscalls {
  const ffi: typeof Ffi | undefined = process.getBuiltinModule("node:ffi");
  if (ffi === undefined) throw new Error(`Node ${process.version} has no node:ffi`);
  // The process itself: its libc, whichever it is.
  const { functions } = ffi.dlopen(null, signatures);
  // One address per thread, and this module is loaded once per thread.
  const errno = functions.__errno_location();
  const settle = (result: number): number => (result < 0 ? -ffi.getInt32(errno) : result);
  return {
    name: "node:ffi",
    socket: (family, type, protocol) => settle(functions.socket(family, type, protocol)),
    connect: (fd, address) => settle(functions.connect(fd, address, address.byteLength)),
    bind: (fd, address) => settle(functions.bind(fd, address, address.byteLength)),
    listen: (fd, backlog) => settle(functions.listen(fd, backlog)),
    getsockname: (fd, address, length) => settle(functions.getsockname(fd, address, length)),
    getpeername: (fd, address, length) => settle(functions.getpeername(fd, address, length)),
    getsockopt: (fd, level, option, value, length) => settle(functions.getsockopt(fd, level, option, value, length)),
    setsockopt: (fd, level, option, value) => settle(functions.setsockopt(fd, level, option, value, value.byteLength)),
    poll: (pollfd, timeoutMs) => settle(functions.poll(pollfd, 1n, timeoutMs)),
    dup3: (from, to, flags) => settle(functions.dup3(from, to, flags)),
    close: (fd) => settle(functions.close(fd)),
    ioctl: (fd, request, argument) => settle(functions.ioctl(fd, BigInt(request), argument)),
  };
}
