// The errors of the hybrid vsock handshake, in the form of Node's own. Wording only; it decides nothing.
import type { HybridAddress } from "./hybrid-address.js";

/**
 * What went wrong in a handshake.
 *
 * - `ERR_VSOCK_HYBRID_CLOSED`: the VMM closed the connection before its answer: nobody listens on the port, the guest is not up
 *   yet, or it is gone. Worth another attempt.
 * - `ERR_VSOCK_HYBRID_REPLY`: the answer was no `OK <number>` line; this is no VMM's hybrid vsock.
 * - `ERR_VSOCK_HYBRID_TIMEOUT`: no answer in time; a paused guest gives none. Worth another attempt.
 */
export type HybridErrorCode = "ERR_VSOCK_HYBRID_CLOSED" | "ERR_VSOCK_HYBRID_REPLY" | "ERR_VSOCK_HYBRID_TIMEOUT";

/** The error of a handshake that failed. */
export interface HybridError extends Error {
  readonly code: HybridErrorCode;
  readonly syscall: "connect";
  /** `hvsock://<path>:<port>`. */
  readonly address: string;
}

/** Makes the error; the message names path and port. */
export function hybridError(code: HybridErrorCode, to: HybridAddress, what: string, cause?: unknown): HybridError {
  const address = `hvsock://${to.path}:${to.port}`;
  const error = new Error(`connect ${address}: ${what}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code, syscall: "connect" as const, address });
}

/** A system's error made by us, with the fields that Node's own have. */
export function systemError(code: string, syscall: string, address: string, what: string, cause?: unknown): Error {
  const error = new Error(`${syscall} ${code} ${address}: ${what}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code, syscall, address });
}

/** Bytes from a peer for a message: quoted, everything but printable ASCII escaped, cut after 64 bytes. */
export function quoted(bytes: Buffer): string {
  const text = bytes
    .subarray(0, 64)
    .toString("latin1")
    .replace(/[^ !#-[\]-~]/g, escaped);
  return `"${text}"${bytes.length > 64 ? "…" : ""}`;
}

function escaped(char: string): string {
  if (char === "\n") return "\\n";
  if (char === "\r") return "\\r";
  if (char === '"' || char === "\\") return `\\${char}`;
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
