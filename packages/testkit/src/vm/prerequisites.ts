// Gets the parts of a VM: all by itself in CI, elsewhere it says what is missing and how to get it. Files that are not
// installed by the system's package manager go into .cache/vm.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { withFileLock } from "../file-lock.js";
import { debianArguments } from "./debian-archive.js";
import { findParts, inPath, type MissingPart, type VmParts, vmCache } from "./parts.js";

const run = promisify(execFile);
const programs: Partial<Record<MissingPart, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  cpio: "cpio",
  setpriv: "util-linux",
};
const setup = "npx -y pnpm@12 test:vm:setup";

/** All parts, or the reason why there is no VM here. */
export type Prerequisites = { readonly parts: VmParts } | { readonly reason: string };

/**
 * Looks for all parts, and with `install` gets those that are missing.
 *
 * @throws {Error} when a part cannot be got.
 */
export async function prerequisites(install: boolean): Promise<Prerequisites> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return { reason: `VMs are emulated on Linux on x86-64 only; this is ${process.platform} on ${process.arch}` };
  }
  const first = await findParts();
  if (first.parts !== undefined) return { parts: first.parts };
  if (!install) return { reason: howToGet(first.missing) };
  await mkdir(vmCache, { recursive: true });
  return withFileLock(join(vmCache, "setup.lock"), async () => {
    const { missing } = await findParts();
    await installPrograms(missing);
    if (missing.includes("kernel")) await unpackKernel();
    if (missing.includes("vhost-device-vsock")) await unpackVhostDevice();
    const { parts, missing: still } = await findParts();
    if (parts === undefined) throw new Error(`${howToGet(still)}\nThey are still missing after they were installed.`);
    return { parts };
  });
}

/** What a user does to have these parts. */
export function howToGet(missing: readonly MissingPart[]): string {
  const packages = missing.flatMap((part) => programs[part] ?? []);
  const lines = [`a VM needs what is not here: ${missing.join(", ")}. On Debian:`];
  if (packages.length > 0) lines.push(`  sudo apt-get install --no-install-recommends ${packages.join(" ")}`);
  // Only the programs are installed; a kernel and a daemon that are just unpacked need no root.
  if (packages.length < missing.length) lines.push(`  ${setup}`);
  return lines.join("\n");
}

async function installPrograms(missing: readonly MissingPart[]): Promise<void> {
  const packages = missing.flatMap((part) => programs[part] ?? []);
  if (packages.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(howToGet(missing));
  await apt(["update"]);
  await apt(["install", "--yes", "--no-install-recommends", ...packages]);
}

/** The newest kernel of the machine's own release. The one for clouds would be smaller; it cannot mount a root over 9p. */
async function unpackKernel(): Promise<void> {
  const source = await debianArguments(vmCache, "own");
  await apt([...source, "update"]);
  const { stdout } = await run("apt-cache", [...source, "depends", "--no-recommends", "linux-image-amd64"]);
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (name === undefined) throw new Error("this release of Debian names no kernel in linux-image-amd64");
  await unpack(name, "kernel", source);
}

/** The daemon is in Debian's unstable release alone; it runs on older ones. */
async function unpackVhostDevice(): Promise<void> {
  const source = await debianArguments(vmCache, "sid");
  await apt([...source, "update"]);
  await unpack("vhost-device-vsock", "vhost-device-vsock", source);
}

async function unpack(name: string, folder: string, source: readonly string[]): Promise<void> {
  const partial = await mkdtemp(join(vmCache, "partial-"));
  try {
    await apt([...source, "download", name], partial);
    const archive = (await readdir(partial)).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download made no file for ${name}`);
    await run("dpkg-deb", ["-x", join(partial, archive), join(partial, "root")]);
    await rm(join(vmCache, folder), { recursive: true, force: true });
    await rename(join(partial, "root"), join(vmCache, folder));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function apt(args: readonly string[], cwd: string = vmCache): Promise<void> {
  if (inPath("apt-get") === undefined)
    throw new Error("apt-get is not here: parts of a VM come from Debian's packages");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    await run("apt-get", ["-q", ...args], { cwd, env, maxBuffer: 64 << 20 });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`apt-get ${args.join(" ")} failed: ${stderr?.trim() || message}`, { cause: error });
  }
}
