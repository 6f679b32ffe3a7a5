// The system calls that vsock sockets need, as a small interface: a backend makes them, tests redirect them.
// Nothing here calls the kernel; see backend.ts.

/** What Linux calls its vsock address family. */
export const AF_VSOCK = 40;
/** The family of the sockets whose descriptor numbers libuv is given; see adopt.ts. */
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;
export const O_CLOEXEC = 0x80000;
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
/** How long the kernel waits for the answer to a connect; a `struct timeval`. Its level is {@link AF_VSOCK}. */
export const SO_VM_SOCKETS_CONNECT_TIMEOUT = 6;
export const IOCTL_VM_SOCKETS_GET_LOCAL_CID = 0x7b9;
export const POLLOUT = 4;

/**
 * System calls on raw descriptors. Each gives what the C function gives, but the *negated errno* instead of -1, so that no call can
 * come between a failure and its reason. None of them blocks as this package uses them.
 */
export interface Syscalls {
  /** Which backend this is, for messages. */
  readonly name: string;
  socket(family: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array): number;
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  /** Writes the address, and its length into the 4 bytes of `length`, which holds the room at first. */
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  /** As {@link getsockname}, for the other side. */
  getpeername(fd: number, address: Uint8Array, length: Uint8Array): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** Polls one `struct pollfd`. */
  poll(pollfd: Uint8Array, timeoutMs: number): number;
  dup3(from: number, to: number, flags: number): number;
  close(fd: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array | null): number;
}

/** Four bytes that hold a native `int`, as the kernel reads and writes them. */
export function intBytes(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** Reads what {@link intBytes} writes. */
export function readInt(bytes: Uint8Array): number {
  return new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0] as number;
}
