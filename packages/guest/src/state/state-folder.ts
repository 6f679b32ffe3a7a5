// The folder in which a guest keeps everything: made private, locked against a second guest. What is in it is the stores'.
import { createHash } from "node:crypto";
import { mkdir, open, readdir, realpath, rename, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { Code, RpcError } from "@guestwire/rpc";
import { failure, textOf } from "../errors.js";
import { makeFolder } from "../files/make-folder.js";
import { removeTree } from "../files/remove-tree.js";
import { takeLock } from "./state-lock.js";

/** An open state folder. */
export interface StateFolder {
  /** Absolute path without symbolic links. */
  readonly path: string;
  /** Names this folder in the environment of every process that belongs to it. */
  readonly token: string;
  /** Where bundles are. */
  readonly bundles: string;
  /** Where machines are. */
  readonly machines: string;
  /** For things that do not outlive the guest; emptied at the start. */
  readonly scratch: string;
  /** Lets another guest use the folder. */
  release(): void;
}

/** `$XDG_STATE_HOME/guestwire/guest`, or `~/.local/state/guestwire/guest`. */
export function defaultStateDir(environment: NodeJS.ProcessEnv = process.env): string {
  // The XDG rules: a value that is not absolute counts as none.
  const base = environment["XDG_STATE_HOME"];
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), ".local/state"), "guestwire/guest");
}

/**
 * Opens a state folder, and makes it with mode 0700 where it is missing.
 *
 * @throws {RpcError} Code.FailedPrecondition when another guest uses it or when it cannot be used.
 */
export async function openStateFolder(dir: string): Promise<StateFolder> {
  try {
    if (dir === "") throw new Error("the path is empty");
    await makeFolder(resolve(dir), 0o700);
    const path = await realpath(dir);
    const owner = (await stat(path)).uid;
    if (owner !== process.getuid?.()) throw new Error(`it belongs to user ${owner}`);
    const token = tokenOf(path);
    const lock = await takeLock(`guestwire-guest-${token}`);
    const folder = { path, token, bundles: join(path, "bundles"), machines: join(path, "machines") };
    try {
      for (const part of [folder.bundles, folder.machines]) await mkdir(part, { recursive: true, mode: 0o700 });
      const scratch = await emptyFolder(path, "scratch");
      return { ...folder, scratch, release: () => lock.close() };
    } catch (error) {
      lock.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw failure(Code.FailedPrecondition, `state folder ${dir}: ${textOf(error)}`, error);
  }
}

/** Writes a file so that after a crash either the old or the new content is there, never half of it. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${path}.new`;
  const file = await open(fresh, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** Names a state folder by its real path. */
export function tokenOf(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 16);
}

async function emptyFolder(parent: string, name: string): Promise<string> {
  const path = join(parent, name);
  await mkdir(path, { recursive: true, mode: 0o700 });
  // What cannot be removed, as files of another user, is in nobody's way: names in it are random.
  for (const entry of await readdir(path)) await removeTree(join(path, entry)).catch(() => {});
  return path;
}
