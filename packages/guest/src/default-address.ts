// Where the guest listens when nobody says where: a socket that only this user can reach.
import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure } from "./errors.js";

/**
 * `unix://$XDG_RUNTIME_DIR/guestwire/guest.sock`; without such a folder a private one in the folder for temporary files.
 * Makes the folder.
 *
 * @throws {RpcError} Code.PermissionDenied when somebody else could reach the folder.
 */
export function defaultAddress(environment: NodeJS.ProcessEnv = process.env): string {
  const runtime = environment["XDG_RUNTIME_DIR"];
  const uid = process.getuid?.() ?? 0;
  const folder =
    runtime !== undefined && isAbsolute(runtime) ? join(runtime, "guestwire") : join(tmpdir(), `guestwire-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Others may write to the folder for temporary files, and so may have been there first.
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw failure(Code.PermissionDenied, `${folder} is not private to user ${uid}; name an address with --listen`);
  }
  return `unix://${join(folder, "guest.sock")}`;
}
