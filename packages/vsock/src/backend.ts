// Chooses how system calls are made, at the first use and once per thread: koffi, else node:ffi.
// Importing this file loads neither.
import { koffiSyscalls } from "./backend-koffi.js";
import { hasNodeFfi, nodeFfiSyscalls } from "./backend-node-ffi.js";
import { unavailable } from "./errors.js";
import type { Syscalls } from "./syscalls.js";

/** Names of backends, as `GUESTWIRE_VSOCK_BACKEND` takes them. */
export type BackendName = "koffi" | "node-ffi";

const makers: Readonly<Record<BackendName, () => Syscalls>> = { koffi: koffiSyscalls, "node-ffi": nodeFfiSyscalls };
let chosen: Syscalls | undefined;

/** The system calls of this process. @throws {Error} `ERR_VSOCK_UNAVAILABLE` where there is no way to make them. */
export function syscalls(): Syscalls {
  chosen ??= choose(process.platform, process.env["GUESTWIRE_VSOCK_BACKEND"]);
  return chosen;
}

/**
 * Loads a backend.
 *
 * @param forced The only one to try. Default: koffi, then node:ffi.
 * @throws {Error} `ERR_VSOCK_UNAVAILABLE` with what was tried as its `cause`.
 */
export function choose(platform: string, forced?: string): Syscalls {
  if (platform !== "linux") throw unavailable(`Linux alone has such sockets for Node, and this is ${platform}`);
  const failures: unknown[] = [];
  for (const name of candidates(forced)) {
    try {
      return makers[name]();
    } catch (error) {
      failures.push(error);
    }
  }
  const told = failures.map((failure) =>
    failure instanceof Error ? failure.message.split("\n", 1)[0] : String(failure),
  );
  const advice = hasNodeFfi()
    ? "install koffi; under --permission allow it with --allow-addons, or node:ffi with --allow-ffi"
    : "install koffi (under --permission allow it with --allow-addons), or use a Node that has node:ffi";
  throw unavailable(
    `nothing here can make system calls (${told.join("; ")}): ${advice}`,
    failures.length === 1 ? failures[0] : new AggregateError(failures),
  );
}

function candidates(forced: string | undefined): readonly BackendName[] {
  if (forced === undefined || forced === "") return ["koffi", "node-ffi"];
  if (!Object.hasOwn(makers, forced)) {
    throw unavailable(`GUESTWIRE_VSOCK_BACKEND is "${forced}", which is neither "koffi" nor "node-ffi"`);
  }
  return [forced as BackendName];
}
