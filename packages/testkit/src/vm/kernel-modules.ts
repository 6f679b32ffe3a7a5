// The modules of an unpacked kernel package: which file holds one, what it needs, in which order they are to be loaded. A
// package has no modules.dep (that is made when it is installed), so the needs are read from the modules themselves.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** A module as it is to be loaded. */
export interface KernelModule {
  readonly name: string;
  /** The file as insmod takes it, not compressed. */
  readonly content: Buffer;
}

// Module names have both spellings; the kernel takes them for one.
const plain = (name: string): string => name.replaceAll("-", "_");

/**
 * Reads modules and all that they need, in an order in which they can be loaded; what is built into the kernel is left out.
 *
 * @param folder - `lib/modules/VERSION` of the package.
 * @throws {Error} with the module's name, when the package does not have it.
 */
export async function readModules(folder: string, wanted: readonly string[]): Promise<KernelModule[]> {
  const builtin = new Set(
    (await readFile(join(folder, "modules.builtin"), "utf8")).split("\n").map((path) => moduleName(path)),
  );
  const files = new Map<string, string>();
  for (const path of await readdir(join(folder, "kernel"), { recursive: true })) {
    if (/\.ko(\.(xz|zst))?$/.test(path)) files.set(moduleName(path), join(folder, "kernel", path));
  }
  const contents = new Map<string, Buffer>();
  const order = await loadOrder(wanted.map(plain), async (name) => {
    if (builtin.has(name)) return undefined;
    const file = files.get(name);
    if (file === undefined) throw new Error(`the kernel package has no module ${name}`);
    const content = await plainContent(file);
    contents.set(name, content);
    return moduleNeeds(content);
  });
  return order.map((name) => ({ name, content: contents.get(name)! }));
}

/** The name of the module in a file of this path. */
export function moduleName(path: string): string {
  return plain(path.slice(path.lastIndexOf("/") + 1).replace(/\.ko(\.\w+)?$/, ""));
}

/** What a module says that it needs. */
export function moduleNeeds(content: Buffer): string[] {
  const at = content.indexOf("\0depends=");
  if (at < 0) return [];
  const from = at + "\0depends=".length;
  return content
    .toString("latin1", from, content.indexOf(0, from))
    .split(",")
    .filter((name) => name !== "")
    .map(plain);
}

/**
 * Puts modules and their needs in order: whatever is needed comes first, and each once.
 *
 * @param needs - The needs of a module; `undefined` where it is not to be loaded.
 */
export async function loadOrder(
  wanted: readonly string[],
  needs: (name: string) => Promise<readonly string[] | undefined>,
): Promise<string[]> {
  const seen = new Set<string>();
  const order: string[] = [];
  const visit = async (name: string): Promise<void> => {
    if (seen.has(name)) return;
    seen.add(name);
    const below = await needs(name);
    if (below === undefined) return;
    for (const one of below) await visit(one);
    order.push(name);
  };
  for (const name of wanted) await visit(name);
  return order;
}

async function plainContent(file: string): Promise<Buffer> {
  const program = file.endsWith(".xz") ? "xz" : file.endsWith(".zst") ? "zstd" : undefined;
  if (program === undefined) return readFile(file);
  const { stdout } = await promisify(execFile)(program, ["-dc", file], { encoding: "buffer", maxBuffer: 64 << 20 });
  return stdout;
}
