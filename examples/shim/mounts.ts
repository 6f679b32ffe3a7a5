// The root file system of a container, which containerd describes and a shim mounts. By mount(8), as Node has no such call.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Mount } from "@guestwire/types";

const run = promisify(execFile);

/** Mounts a root file system. Without mounts the bundle's folder is taken as it is. */
export async function mountRootfs(bundle: string, mounts: readonly Mount[]): Promise<void> {
  const target = join(bundle, "rootfs");
  await mkdir(target, { recursive: true });
  for (const { type, source, options } of mounts) {
    // A bind mount is an option there, and no type.
    const own = type === "bind" ? [] : ["-t", type];
    const how = options.length > 0 ? ["-o", options.join(",")] : [];
    await run("mount", [...own, ...how, source, target]);
  }
}

/** Undoes it, whether or not something is mounted. */
export async function unmountRootfs(bundle: string): Promise<void> {
  await run("umount", ["--lazy", "--recursive", join(bundle, "rootfs")]).catch(() => undefined);
}
