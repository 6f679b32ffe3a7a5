// Opens a client's vsock socket: one attempt, bounded by a time limit and a signal. Trying again is the caller's affair.
import type { Socket } from "node:net";
import { constants } from "node:os";
import { openSocket } from "./adopt.js";
import { checkDialAddress, checkFlag, checkObject, checkSignal, checkTimeout } from "./arguments.js";
import { syscalls } from "./backend.js";
import type { VsockAddress } from "./cids.js";
import { check, systemError } from "./errors.js";
import { encodeSockaddr } from "./sockaddr.js";
import {
  AF_VSOCK,
  intBytes,
  readInt,
  SO_ERROR,
  SO_VM_SOCKETS_CONNECT_TIMEOUT,
  SOL_SOCKET,
  type Syscalls,
} from "./syscalls.js";
import { attachNames, type VsockSocket } from "./vsock-socket.js";
import { waitWritable } from "./wait-writable.js";

/** Options of {@link dial}. */
export interface DialOptions {
  /** Ends a pending connect: the promise rejects with the signal's reason. It has no effect on the socket afterwards. */
  readonly signal?: AbortSignal;
  /** How long to wait for the peer, in milliseconds, more than 0. Default: the kernel's 2 seconds. */
  readonly timeoutMs?: number;
  /** As for `net.Socket`: whether the socket stays writable after the peer's end. Default `false`. */
  readonly allowHalfOpen?: boolean;
}

/**
 * Connects to a vsock port.
 *
 * @param address The machine and the port.
 * @returns A connected `net.Socket`, driven by the event loop, with the CIDs and ports of both sides.
 * @throws {VsockError} `ECONNRESET` when nobody listens there, `ENODEV` when no machine has that CID (or no transport leads to it),
 * `ETIMEDOUT` when the machine does not answer in time; with the address.
 * @throws {Error} `ERR_VSOCK_UNAVAILABLE` when this machine, or this Node, has no vsock; the message says what to do.
 * @throws {TypeError} @throws {RangeError} for a wrong argument, naming it.
 */
export async function dial(address: VsockAddress, options: DialOptions = {}): Promise<VsockSocket> {
  return dialWith(syscalls, address, options);
}

/** {@link dial} with the system calls given. */
export async function dialWith(
  load: () => Syscalls,
  address: VsockAddress,
  options: DialOptions,
): Promise<VsockSocket> {
  const to = checkDialAddress(address);
  checkObject("options", options);
  const allowHalfOpen = checkFlag("options.allowHalfOpen", options.allowHalfOpen);
  const timeoutMs = checkTimeout("options.timeoutMs", options.timeoutMs);
  const signal = checkSignal("options.signal", options.signal);
  signal?.throwIfAborted();
  const calls = load();
  const { socket, fd } = openSocket(calls, allowHalfOpen);
  try {
    await connect(calls, fd, to, timeoutMs, signal);
    return startReading(attachNames(calls, socket, fd));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function connect(
  calls: Syscalls,
  fd: number,
  to: VsockAddress,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (timeoutMs !== undefined) {
    const result = calls.setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, timeval(timeoutMs));
    check(result, "setsockopt", to);
  }
  const result = calls.connect(fd, encodeSockaddr(to));
  if (result >= 0) return;
  if (result !== -constants.errno.EINPROGRESS) throw systemError(result, "connect", to);
  const timedOut = (): Error => systemError(-constants.errno.ETIMEDOUT, "connect", to);
  await waitWritable(calls, fd, { signal, timeoutMs, timedOut });
  signal?.throwIfAborted();
  const failure = intBytes(0);
  check(calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, failure, intBytes(4)), "getsockopt", to);
  check(-readInt(failure), "connect", to);
}

/** A `struct timeval`: two longs. All zero would mean the kernel's default. */
function timeval(ms: number): Uint8Array {
  const microseconds = Math.ceil(ms * 1_000);
  const parts = [Math.floor(microseconds / 1_000_000), microseconds % 1_000_000];
  const narrow = process.arch === "arm" || process.arch === "ia32";
  const longs = narrow ? Uint32Array.from(parts) : BigUint64Array.from(parts, BigInt);
  return new Uint8Array(longs.buffer);
}

function startReading<Opened extends Socket>(socket: Opened): Opened {
  socket.read(0);
  return socket;
}
