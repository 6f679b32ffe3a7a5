// Which user a container's process runs as: `user[:group]`, names or numbers of the host.
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { invalid, quoted } from "../../errors.js";
import { type RunAs, runAsIds } from "../../process/run-as.js";

/**
 * Finds the ids.
 *
 * @param user Empty, "root" and 0 mean the guest's own user.
 * @param field How errors name it.
 * @returns `undefined` for the guest's own user.
 * @throws {RpcError} Code.InvalidArgument for one that is not known; Code.PermissionDenied for another user where the guest
 * is not root.
 */
export async function containerUser(user: string, field: string): Promise<RunAs | undefined> {
  const [name = "", group, ...more] = user.split(":");
  if (more.length > 0) throw invalid(field, `${quoted(user)} is not of the form user[:group]`);
  const own = name === "" || name === "root" || name === "0" || name === userInfo().username;
  if (own && group === undefined) return undefined;
  const found = own ? { id: 0, gid: 0 } : await lookUp("/etc/passwd", name);
  // A number needs no entry.
  const uid = found?.id ?? number(name);
  const gid = group === undefined ? (found?.gid ?? uid) : ((await lookUp("/etc/group", group))?.id ?? number(group));
  if (uid === undefined || gid === undefined) {
    throw invalid(field, `${quoted(uid === undefined ? name : (group ?? ""))} is not known on this host`);
  }
  return runAsIds(uid, gid);
}

/** Both files have the name first and its number third; the first one has the main group fourth. */
async function lookUp(path: string, wanted: string): Promise<{ id: number; gid: number } | undefined> {
  for (const line of (await readFile(path, "utf8")).split("\n")) {
    const [name, , id, gid] = line.split(":");
    if (id !== undefined && (name === wanted || id === wanted)) return { id: Number(id), gid: Number(gid) };
  }
  return undefined;
}

function number(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
