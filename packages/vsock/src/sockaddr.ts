// The kernel's socket addresses as bytes: writes and reads `struct sockaddr_vm`. Native byte order, as the kernel has it.
import type { VsockAddress } from "./cids.js";
import { check } from "./errors.js";
import { AF_UNIX, AF_VSOCK, intBytes, type Syscalls } from "./syscalls.js";

/** How many bytes a `struct sockaddr_vm` has: family (2), reserved (2), port (4), cid (4), flags and padding (4). */
export const sockaddrSize = 16;

/** Writes a `struct sockaddr_vm`. */
export function encodeSockaddr(address: VsockAddress): Uint8Array {
  const bytes = new Uint8Array(sockaddrSize);
  new Uint16Array(bytes.buffer, 0, 1)[0] = AF_VSOCK;
  new Uint32Array(bytes.buffer, 4, 2).set([address.port, address.cid]);
  return bytes;
}

/** Reads a `struct sockaddr_vm` that starts at the beginning of a buffer. @throws {Error} for other kinds of addresses. */
export function decodeSockaddr(bytes: Uint8Array): VsockAddress {
  const view = bytes.slice(0, sockaddrSize);
  const family = new Uint16Array(view.buffer, 0, 1)[0];
  if (family !== AF_VSOCK) throw new Error(`the socket's address family is ${family}, not AF_VSOCK (${AF_VSOCK})`);
  const [port, cid] = new Uint32Array(view.buffer, 4, 2) as unknown as [number, number];
  return { cid, port };
}

/** An AF_UNIX address without a name, which makes Linux choose one: a socket must be bound before it can listen. */
export function unnamedUnixAddress(): Uint8Array {
  return new Uint8Array(Uint16Array.of(AF_UNIX).buffer);
}

/** Asks for the address of one side of a socket. @throws {VsockError} */
export function socketName(calls: Syscalls, fd: number, side: "local" | "remote"): VsockAddress {
  const bytes = new Uint8Array(sockaddrSize);
  const length = intBytes(sockaddrSize);
  if (side === "local") check(calls.getsockname(fd, bytes, length), "getsockname");
  else check(calls.getpeername(fd, bytes, length), "getpeername");
  return decodeSockaddr(bytes);
}
