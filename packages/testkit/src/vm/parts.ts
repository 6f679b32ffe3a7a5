// What a VM is made of, as paths. Says what is missing; fetches nothing.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The paths of all parts. */
export interface VmParts {
  readonly qemu: string;
  readonly busybox: string;
  /** The kernel's image. */
  readonly kernel: string;
  /** `lib/modules/VERSION` of the kernel. */
  readonly modules: string;
  /** The daemon behind a vhost-user vsock device. */
  readonly vhostDevice: string;
  /** Where archives are kept. */
  readonly cache: string;
}

/** A part that is not there. */
export type MissingPart = "qemu-system-x86_64" | "busybox" | "cpio" | "setpriv" | "kernel" | "vhost-device-vsock";

/** The repository's root. */
export const repositoryRoot: string = fileURLToPath(new URL("../../../../", import.meta.url)).replace(/\/$/, "");

/** Where parts and archives of VMs are kept. */
export const vmCache: string = join(repositoryRoot, ".cache", "vm");

/** Looks for all parts. */
export async function findParts(): Promise<{ parts: VmParts | undefined; missing: MissingPart[] }> {
  const qemu = inPath("qemu-system-x86_64");
  const busybox = inPath("busybox");
  const kernel = await findKernel();
  const vhostDevice = [join(vmCache, "vhost-device-vsock", "usr", "bin"), join(vmCache, "bin")]
    .map((folder) => join(folder, "vhost-device-vsock"))
    .concat(inPath("vhost-device-vsock") ?? [])
    .find((path) => existsSync(path));
  const found: [MissingPart, unknown][] = [
    ["qemu-system-x86_64", qemu],
    ["busybox", busybox],
    ["cpio", inPath("cpio")],
    ["setpriv", inPath("setpriv")],
    ["kernel", kernel],
    ["vhost-device-vsock", vhostDevice],
  ];
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  if (qemu === undefined || busybox === undefined || kernel === undefined || vhostDevice === undefined) {
    return { parts: undefined, missing };
  }
  const parts = { qemu, busybox, ...kernel, vhostDevice, cache: vmCache };
  return { parts: missing.length === 0 ? parts : undefined, missing };
}

/** The path of a program. */
export function inPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

async function findKernel(): Promise<{ kernel: string; modules: string } | undefined> {
  const folder = join(vmCache, "kernel");
  const images = await readdir(join(folder, "boot")).catch(() => []);
  const image = images.find((name) => name.startsWith("vmlinuz-"));
  if (image === undefined) return undefined;
  const version = image.slice("vmlinuz-".length);
  // Where /lib leads to /usr/lib, newer packages name that.
  const modules = [join(folder, "lib"), join(folder, "usr", "lib")]
    .map((lib) => join(lib, "modules", version))
    .find((path) => existsSync(path));
  return modules === undefined ? undefined : { kernel: join(folder, "boot", image), modules };
}
