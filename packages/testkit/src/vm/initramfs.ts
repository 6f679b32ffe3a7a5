// The small archive that a VM starts from: busybox, modules, init. Kept by its content, so that it is packed once.
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

/**
 * Packs an archive with the modules, in the order in which init loads them.
 *
 * @returns The path of the archive.
 */
export async function packInitramfs(parts: VmParts, modules: readonly string[]): Promise<string> {
  const [busybox, loaded] = await Promise.all([
    readFile(parts.busybox),
    readModules(parts.modules, [...always, ...modules]),
  ]);
  const path = join(parts.cache, `initramfs-${contentKey(busybox, loaded)}.cpio`);
  if (existsSync(path)) return path;
  const folder = await mkdtemp(join(parts.cache, "partial-"));
  try {
    const root = join(folder, "root");
    for (const name of ["bin", "dev", "mnt", "modules", "proc", "sys"]) {
      await mkdir(join(root, name), { recursive: true });
    }
    await writeFile(join(root, "bin", "busybox"), busybox);
    await writeFile(join(root, "init"), initScript);
    await chmod(join(root, "bin", "busybox"), 0o755);
    await chmod(join(root, "init"), 0o755);
    for (const { name, content } of loaded) await writeFile(join(root, "modules", `${name}.ko`), content);
    await writeFile(join(root, "modules", "order"), loaded.map(({ name }) => `${name}\n`).join(""));
    await pack(root, join(folder, "archive"));
    await rename(join(folder, "archive"), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

function contentKey(busybox: Buffer, modules: readonly KernelModule[]): string {
  const hash = createHash("sha256").update(busybox).update(initScript);
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
