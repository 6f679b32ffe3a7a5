// Errors in the form of Node's own: a code, the negative errno, the system call, and the vsock address.
import { getSystemErrorMessage, getSystemErrorName } from "node:util";
import { formatVsock, type VsockAddress } from "./cids.js";

/** An error of a system call: `code` (`"ECONNRESET"`), `errno` (negative), `syscall`, and the address where there was one. */
export interface VsockError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  /** As text, such as `vsock://3:1024`. */
  readonly address?: string;
  readonly cid?: number;
  readonly port?: number;
}

/**
 * Makes an error of a failed system call.
 *
 * @param errno Negative, as {@link Syscalls} gives it.
 */
export function systemError(errno: number, syscall: string, address?: VsockAddress): VsockError {
  const code = getSystemErrorName(errno) ?? `errno ${-errno}`;
  const text = address === undefined ? "" : ` ${formatVsock(address)}`;
  const error = new Error(`${syscall} ${code}: ${getSystemErrorMessage(errno) ?? "unknown error"}${text}`);
  const where = address === undefined ? {} : { address: formatVsock(address), cid: address.cid, port: address.port };
  return Object.assign(error, { code, errno, syscall, ...where });
}

/** Gives the result of a system call. @throws {VsockError} when it is an error. */
export function check(result: number, syscall: string, address?: VsockAddress): number {
  if (result < 0) throw systemError(result, syscall, address);
  return result;
}

/** The error for a machine without vsock, or without a way to it from Node; its message says what to do. */
export function unavailable(why: string, cause?: unknown): Error & { readonly code: "ERR_VSOCK_UNAVAILABLE" } {
  const error = new Error(`AF_VSOCK is not available: ${why}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: "ERR_VSOCK_UNAVAILABLE" as const });
}
