// Programs written in Go that tests run beside our own: fetched at a pinned version or built from peers/, once, and kept in
// .cache/peers. Runs nothing of them itself.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { withFileLock } from "./file-lock.js";

/** The published programs that tests use, at the versions they were last checked with. */
export const goTools = {
  grpcurl: { source: "github.com/fullstorydev/grpcurl/cmd/grpcurl", version: "v1.9.4" },
  connectconformance: { source: "connectrpc.com/conformance/cmd/connectconformance", version: "v1.0.6" },
} as const;

/** The name of a published program. */
export type GoTool = keyof typeof goTools;

const cache = fileURLToPath(new URL("../../../.cache/peers/", import.meta.url));
const peers = fileURLToPath(new URL("../peers/", import.meta.url));
const suffix = process.platform === "win32" ? ".exe" : "";
const asked = new Map<string, Promise<string | undefined>>();

/**
 * The path of a published program, which is installed at its pinned version when it is asked for the first time.
 *
 * @returns `undefined` where Go is missing; the reason is printed.
 * @throws {Error} where Go is missing although `CI` is `true`, and where the program cannot be installed.
 */
export function goTool(name: GoTool): Promise<string | undefined> {
  return once(name, async (go) => {
    const { source, version } = goTools[name];
    // go install names a program after the last part of its path.
    const program = source.slice(source.lastIndexOf("/") + 1) + suffix;
    return kept(`${name}-${version}-${go}`, program, (folder) =>
      run(["install", `${source}@${version}`], cache, { GOBIN: folder, GOFLAGS: "-mod=mod" }),
    );
  });
}

/** Which module a program is built in, and with which versions of what it uses. */
export interface GoModule {
  /** The module's folder in `packages/testkit/peers`. Default `go`. */
  readonly module?: string;
  /** A file beside `go.mod` to take instead of it, so that one source is built with several versions of a library. */
  readonly modfile?: string;
}

/**
 * The path of a program of ours, built from the folder of that name in a module of `packages/testkit/peers`; `.` is the
 * module's own folder. It is built again when any file of that module, or of one that it replaces by a folder, has changed.
 *
 * @returns `undefined` where Go is missing; the reason is printed.
 * @throws {Error} where Go is missing although `CI` is `true`, and where the program does not compile.
 */
export function goProgram(folder: string, options: GoModule = {}): Promise<string | undefined> {
  const { module = "go", modfile = "go.mod" } = options;
  const name = folder === "." ? module : folder;
  return once(`peers/${module}/${folder}/${modfile}`, async (go) => {
    const source = join(peers, module);
    const key = await contentKey(source);
    const args = ["build", `-modfile=${modfile}`, "-o"];
    const variant = modfile === "go.mod" ? name : `${name}-${modfile.replace(/\.mod$/, "")}`;
    return kept(`${variant}-${key}-${go}`, name + suffix, (target) =>
      run([...args, join(target, name + suffix), `./${folder}`], source, { GOFLAGS: "-mod=readonly" }),
    );
  });
}

function once(name: string, make: (go: string) => Promise<string>): Promise<string | undefined> {
  let found = asked.get(name);
  if (found === undefined) {
    found = goVersion().then((go) => (go === undefined ? missing(name) : make(go)));
    asked.set(name, found);
  }
  return found;
}

async function goVersion(): Promise<string | undefined> {
  try {
    return (await run(["env", "GOVERSION"], process.cwd(), {})).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function missing(name: string): undefined {
  const reason = `${name} is not tested against: it is written in Go, and no go was found in PATH`;
  if (process.env["CI"] === "true") throw new Error(reason);
  console.warn(reason);
}

/** Makes a folder of the cache unless it is there; complete or not at all, also when several processes want it. */
async function kept(key: string, program: string, make: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = join(cache, key);
  const path = join(folder, program);
  if (existsSync(path)) return path;
  await mkdir(cache, { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (existsSync(path)) return;
    const partial = await mkdtemp(join(cache, "partial-"));
    try {
      await make(partial);
      await rm(folder, { recursive: true, force: true });
      await rename(partial, folder);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  });
  if (!existsSync(path)) throw new Error(`go made no ${program} in ${folder}`);
  return path;
}

async function contentKey(module: string): Promise<string> {
  const replaced = (await readFile(join(module, "go.mod"), "utf8")).matchAll(/=> (\.\S+)/g);
  const hash = createHash("sha256");
  for (const folder of [module, ...[...replaced].map(([, path]) => join(module, path as string))]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      const content = await readFile(file);
      hash.update(`${file.slice(folder.length)}\n${content.length}\n`).update(content);
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function run(args: string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const environment = { ...process.env, GOWORK: "off", CGO_ENABLED: "0", ...env };
  try {
    return (await promisify(execFile)("go", args, { cwd, env: environment, maxBuffer: 16 << 20 })).stdout;
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: unknown };
    if (code === "ENOENT") throw error;
    throw new Error(`go ${args.join(" ")} failed: ${stderr?.trim()}`, { cause: error });
  }
}
