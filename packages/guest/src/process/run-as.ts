// Which user a process runs as. Only root may choose another one; "root" means the guest's own user where it is not root,
// as rootless container runtimes have it.
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { Code, type RpcError } from "@guestwire/rpc";
import { failure, invalid } from "../errors.js";

/** Numeric ids to run as. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Checks the ids of an OCI process.
 *
 * @returns `undefined` for the guest's own user.
 * @throws {RpcError} Code.PermissionDenied for another user where the guest is not root.
 */
export function runAsIds(uid: number, gid: number): RunAs | undefined {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if ((uid === 0 || uid === own.uid) && (gid === 0 || gid === own.gid)) return undefined;
  if (own.uid !== 0) throw notAllowed(`user ${uid}, group ${gid}`);
  return { uid, gid };
}

/**
 * Finds a user by name or number.
 *
 * @param user Empty for the guest's own.
 * @returns `undefined` for the guest's own user.
 * @throws {RpcError} Code.InvalidArgument for an unknown user; Code.PermissionDenied as for {@link runAsIds}.
 */
export async function runAsUser(user: string): Promise<RunAs | undefined> {
  if (user === "" || user === "root" || user === "0" || user === userInfo().username) return undefined;
  for (const line of (await readFile("/etc/passwd", "utf8")).split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (uid !== undefined && gid !== undefined && (name === user || uid === user)) {
      return runAsIds(Number(uid), Number(gid));
    }
  }
  throw invalid("user", `${JSON.stringify(user)} is not known on this host`);
}

function notAllowed(who: string): RpcError {
  return failure(Code.PermissionDenied, `only a guest that is root can run processes as ${who}`);
}
