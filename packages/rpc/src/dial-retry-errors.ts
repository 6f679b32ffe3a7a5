// Which failures of a dial pass by themselves while a guest boots, and which never do. Looks only; tries nothing.
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";

// Those of spinbox (ECONNREFUSED, ECONNRESET, ENODEV, EPIPE) and those that a VMM's socket and a hybrid handshake add.
const transient: ReadonlySet<string> = new Set([
  "ENOENT", // the VMM has not made its socket yet
  "ECONNREFUSED", // a socket file whose listener is gone or not there yet
  "ECONNRESET", // vsock: nobody listens on the guest's port
  "ENODEV", // vsock: no guest with this cid, or not yet
  "EPIPE", // the VMM closed before it read
  "ETIMEDOUT", // vsock: the guest is paused, or its driver is not up
  "EAGAIN", // the listener's queue is full
  "ERR_VSOCK_HYBRID_CLOSED", // the VMM hung up before OK: nobody listens in the guest
  "ERR_VSOCK_HYBRID_TIMEOUT", // the VMM never answered: the guest is paused, or was caught between bind and listen
]);

const permanent: ReadonlySet<string> = new Set([
  "EACCES",
  "EPERM",
  "EBADF",
  "EINVAL",
  "ENOTSOCK",
  "EPROTOTYPE", // a unix socket of another type
  "EAFNOSUPPORT", // no vsock in this kernel
  "ERR_VSOCK_UNAVAILABLE", // no way from this Node to vsock
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
  "ERR_VSOCK_HYBRID_REPLY", // whoever answered is no VMM
]);

const permanentCodes: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.Unimplemented,
  Code.PermissionDenied,
  Code.Unauthenticated,
]);

// Longer chains of causes are loops.
const deepest = 16;

/**
 * Whether a failed attempt to connect may succeed later, as a guest comes up: `ENOENT`, `ECONNREFUSED`, `ECONNRESET`,
 * `ENODEV`, `EPIPE`, `ETIMEDOUT`, `EAGAIN`, a hybrid vsock that hangs up or does not answer, and `RpcError`s with
 * `Unavailable` or `FailedPrecondition`. Looks through `cause`; one cause that {@link isPermanentDialError} decides.
 *
 * @param error Whatever was thrown.
 */
export function isTransientDialError(error: unknown): boolean {
  let found = false;
  for (const { code } of chain(error)) {
    if (isPermanent(code)) return false;
    found ||= transient.has(code as string) || code === Code.Unavailable || code === Code.FailedPrecondition;
  }
  return found;
}

/**
 * Whether trying again cannot help: no permission (`EACCES`, `EPERM`), an address or an option that is wrong, a kernel
 * without vsock, a hybrid vsock whose answer is none, and `RpcError`s with `InvalidArgument`, `Unimplemented`,
 * `PermissionDenied` or `Unauthenticated`. Looks through `cause`. What is neither this nor
 * {@link isTransientDialError transient} is not known.
 *
 * @param error Whatever was thrown.
 */
export function isPermanentDialError(error: unknown): boolean {
  for (const { code } of chain(error)) if (isPermanent(code)) return true;
  return false;
}

function isPermanent(code: unknown): boolean {
  return typeof code === "string" ? permanent.has(code) : permanentCodes.has(code as Code);
}

/** The codes of an error and of its causes: text of Node's errors, numbers of `RpcError`s only. */
function* chain(error: unknown): Generator<{ readonly code: unknown }> {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < deepest; depth++) {
    let code: unknown;
    let cause: unknown;
    try {
      ({ code, cause } = at as { code?: unknown; cause?: unknown });
    } catch {
      // Getters of a stranger's error may throw; it says nothing then.
      return;
    }
    if (typeof code === "string" || at instanceof RpcError) yield { code };
    at = cause;
  }
}
