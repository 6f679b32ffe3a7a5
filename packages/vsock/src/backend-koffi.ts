// System calls through koffi, an FFI addon with prebuilt binaries for glibc and musl. Loaded by backend.ts, at the first use.
// Calls are made on this thread and never block; koffi's own polling and asynchronous calls are not used.
import { createRequire } from "node:module";
import type { Syscalls } from "./syscalls.js";

/** Loads koffi. @throws when it is not installed or may not be loaded. */
export function koffiSyscalls(): Syscalls {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  // The process itself: its libc, whichever it is.
  const libc = koffi.load(null);
  // biome-ignore lint/suspicious/noExplicitAny: the C function checks its arguments by the declared types.
  const declare = (name: string, types: string[]): ((...values: any[]) => number) => {
    const call = libc.func(name, "int", types);
    return (...values) => {
      const result = call(...values) as number;
      return result < 0 ? -koffi.errno() : result;
    };
  };
  const connect = declare("connect", ["int", "void *", "uint32"]);
  const bind = declare("bind", ["int", "void *", "uint32"]);
  const setsockopt = declare("setsockopt", ["int", "int", "int", "void *", "uint32"]);
  const poll = declare("poll", ["void *", "unsigned long", "int"]);
  const ioctl = declare("ioctl", ["int", "unsigned long", "..."]);
  return {
    name: "koffi",
    socket: declare("socket", ["int", "int", "int"]),
    connect: (fd, address) => connect(fd, address, address.byteLength),
    bind: (fd, address) => bind(fd, address, address.byteLength),
    listen: declare("listen", ["int", "int"]),
    getsockname: declare("getsockname", ["int", "void *", "void *"]),
    getpeername: declare("getpeername", ["int", "void *", "void *"]),
    getsockopt: declare("getsockopt", ["int", "int", "int", "void *", "void *"]),
    setsockopt: (fd, level, option, value) => setsockopt(fd, level, option, value, value.byteLength),
    poll: (pollfd, timeoutMs) => poll(pollfd, 1, timeoutMs),
    dup3: declare("dup3", ["int", "int", "int"]),
    close: declare("close", ["int"]),
    ioctl: (fd, request, argument) => ioctl(fd, request, "void *", argument),
  };
}
