// Where Joblet's client configuration is, and whether it is as private as a file with keys must be.
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Code, RpcError } from "@guestwire/rpc";
import { configError } from "./config-error.js";

/** Where to look. */
export interface FindConfigOptions {
  /** The file itself; nothing else is looked at then. Default: the search described at `loadJobletConfig()`. */
  readonly path?: string;
  /** Where RNX_CONFIG is read from. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default the process's own. */
  readonly cwd?: string;
  /** Default the user's own. */
  readonly home?: string;
}

/** A configuration's text. */
export interface FoundConfig {
  /** Absolute path. */
  readonly path: string;
  readonly text: string;
  /** What is wrong with its permissions; `undefined` when nothing is. */
  readonly exposed: string | undefined;
}

const fileName = "rnx-config.yml";
const systemFolders = ["/etc/joblet", "/opt/joblet/config"];

/**
 * Finds and reads the configuration.
 *
 * @throws {RpcError} Code.NotFound naming every place that was looked at; Code.InvalidArgument for a file that is there and
 * cannot be read.
 */
export async function findConfig(options: FindConfigOptions): Promise<FoundConfig> {
  const { env = process.env, cwd = process.cwd(), home = homedir() } = options;
  const named = options.path ?? (env["RNX_CONFIG"] || undefined);
  const folders = [cwd, join(cwd, "config"), join(home, ".rnx"), ...systemFolders];
  const places = named === undefined ? folders.map((folder) => join(folder, fileName)) : [resolve(cwd, named)];
  for (const path of places) {
    const found = await readConfig(path);
    if (found !== undefined) return found;
  }
  const why = options.path !== undefined ? "" : named === undefined ? "" : " (RNX_CONFIG)";
  throw new RpcError(Code.NotFound, `there is no Joblet configuration at ${places.join(", ")}${why}`);
}

async function readConfig(path: string): Promise<FoundConfig | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
  try {
    // Of the file that is open: the path may lead elsewhere by now.
    const { mode, uid } = await file.stat();
    return { path, text: await file.readFile("utf8"), exposed: exposure(mode, uid) };
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await file.close();
  }
}

/** As ssh judges its keys: of one's own files only, as those of others are their affair, and a group may be meant. */
function exposure(mode: number, uid: number): string | undefined {
  if (uid !== process.getuid?.() || (mode & 0o077) === 0) return undefined;
  return `can be read by others (mode ${(mode & 0o777).toString(8).padStart(4, "0")}) and holds private keys`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function unreadable(path: string, error: unknown): Error {
  return configError(path, `cannot be read: ${(error as Error).message}`, error);
}
