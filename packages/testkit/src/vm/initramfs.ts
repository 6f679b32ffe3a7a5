// The small archive that a VM starts from: busybox, modules, init and what that runs. Kept by its content, so that it is
// packed once.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { initScript } from "./init-script.js";
import { type KernelModule, readModules } from "./kernel-modules.js";
import type { VmParts } from "./parts.js";

// The root of the host comes over virtio's 9p; these bring their own needs.
const always = ["virtio_pci", "9pnet_virtio", "9p"];

/** What an archive holds beside busybox. */
export interface InitramfsContent {
  /** The script that the kernel starts. */
  readonly init: string;
  /** Kernel modules; their needs come by themselves. */
  readonly modules: readonly string[];
  /** A program for `/bin/program`, which must need no libraries. Default: none. */
  readonly program?: string;
}

/**
 * Packs the archive of a VM whose root is the host's.
 *
 * @returns The path of the archive.
 */
export function packInitramfs(parts: VmParts, modules: readonly string[]): Promise<string> {
  return packArchive(parts, { init: initScript, modules: [...always, ...modules] });
}

/**
 * Packs an archive: the modules are in `/modules`, and named in `/modules/order` as they are to be loaded.
 *
 * @returns The path of the archive.
 */
export async function packArchive(parts: VmParts, content: InitramfsContent): Promise<string> {
  const [busybox, loaded, program] = await Promise.all([
    readFile(parts.busybox),
    readModules(parts.modules, content.modules),
    content.program === undefined ? undefined : readFile(content.program),
  ]);
  const programs: [string, Buffer][] = [["busybox", busybox]];
  if (program !== undefined) programs.push(["program", program]);
  const path = join(parts.cache, `initramfs-${contentKey(programs, content.init, loaded)}.cpio`);
  if (existsSync(path)) return path;
  const folder = await mkdtemp(join(parts.cache, "partial-"));
  try {
    const root = join(folder, "root");
    for (const name of ["bin", "dev", "mnt", "modules", "proc", "sys"]) {
      await mkdir(join(root, name), { recursive: true });
    }
    await writeFile(join(root, "init"), content.init);
    await chmod(join(root, "init"), 0o755);
    for (const [name, file] of programs) {
      await writeFile(join(root, "bin", name), file);
      await chmod(join(root, "bin", name), 0o755);
    }
    for (const module of loaded) await writeFile(join(root, "modules", `${module.name}.ko`), module.content);
    await writeFile(join(root, "modules", "order"), loaded.map(({ name }) => `${name}\n`).join(""));
    await pack(root, join(folder, "archive"));
    await rename(join(folder, "archive"), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

function contentKey(programs: readonly [string, Buffer][], init: string, modules: readonly KernelModule[]): string {
  const hash = createHash("sha256").update(init);
  for (const [name, file] of programs) hash.update(`${name}\n${file.length}\n`).update(file);
  for (const { name, content } of modules) hash.update(`${name}\n${content.length}\n`).update(content);
  return hash.digest("hex").slice(0, 16);
}

async function pack(root: string, path: string): Promise<void> {
  const list = spawn("find", ["."], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const cpio = spawn("cpio", ["--create", "--format=newc", "--quiet"], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(cpio, "exit");
  await Promise.all([pipeline(list.stdout, cpio.stdin), pipeline(cpio.stdout, createWriteStream(path))]);
  const [code] = await exited;
  if (code !== 0) throw new Error(`cpio ended with ${code}`);
}
