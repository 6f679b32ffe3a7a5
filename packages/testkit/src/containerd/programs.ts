// containerd, runc and what containers are made of: found, or installed from the distribution's packages where CI asks for it.
// Starts none of them.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withFileLock } from "../file-lock.js";
import { debianArguments } from "../vm/debian-archive.js";
import { run, runToEnd } from "./run.js";

const shimName = "containerd-shim-runc-v2";
const cache = fileURLToPath(new URL("../../../../.cache/", import.meta.url));

/** One version of containerd, and what it needs. */
export interface ContainerPrograms {
  /** containerd's version, as `1.6.20`. */
  readonly version: string;
  readonly containerd: string;
  readonly ctr: string;
  /** containerd's own shim for runc. */
  readonly shim: string;
  readonly runc: string;
  /** A busybox that needs no libraries. */
  readonly busybox: string;
}

type Program = Exclude<keyof ContainerPrograms, "version">;

const packages: Record<Program, string> = {
  containerd: "containerd",
  ctr: "containerd",
  shim: "containerd",
  runc: "runc",
  busybox: "busybox-static",
};

// Newer ones are unpacked beside it: trixie has 1.7, sid what is newest, which is another one every month: no gate can stand
// on it. runc is always the machine's own.
const releases = process.env["CI"] === "true" ? (["trixie"] as const) : (["trixie", "sid"] as const);

let asked: Promise<ContainerPrograms[]> | undefined;

/**
 * Every containerd that can run here: the machine's own, and newer ones of Debian, which `build:peers` unpacks into
 * `.cache`. What is missing is installed when `CI` is `true`.
 *
 * @returns None where containers cannot run; the reason is printed.
 * @throws {Error} where they cannot run although `CI` is `true`.
 */
export function containerPrograms(): Promise<ContainerPrograms[]> {
  asked ??= look(process.env["CI"] === "true");
  return asked;
}

/** As {@link containerPrograms}, and gets the newer ones. */
export async function fetchContainerPrograms(): Promise<ContainerPrograms[]> {
  return look(true);
}

async function look(fetch: boolean): Promise<ContainerPrograms[]> {
  const inCi = process.env["CI"] === "true";
  const unfit = whyNotHere();
  if (unfit !== undefined) return notTested(unfit, inCi);
  if (inCi && (await missingPrograms()).length > 0) await install();
  const missing = await missingPrograms();
  if (missing.length > 0) {
    const wanted = packagesOf(missing).join(" ");
    return notTested(`${missing.join(", ")} missing (apt-get install --no-install-recommends ${wanted})`, inCi);
  }
  const own = find() as Record<Program, string>;
  const found = [{ ...own, version: (await versionOf(own.containerd)) ?? "unknown" }];
  for (const release of releases) {
    const folder = join(cache, "containerd", release);
    if (fetch && !existsSync(folder)) await unpack(release, folder);
    if (!existsSync(folder)) continue;
    const bin = (name: string): string => join(folder, "usr", "bin", name);
    const version = await versionOf(bin("containerd"));
    // It is built for a newer system, whose libraries may be too new.
    if (version === undefined) console.warn(`containerd of ${release} is not tested against: it does not run here`);
    else found.push({ ...own, version, containerd: bin("containerd"), ctr: bin("ctr"), shim: bin(shimName) });
  }
  // The machine may have one of these itself.
  return found.filter(({ version }, at) => found.findIndex((one) => one.version === version) === at);
}

/** Where a container's shim says that it listens: the answer to `start`, or the file that containerd keeps of it. */
export function shimAddress(text: string): string {
  return text.startsWith("{") ? (JSON.parse(text) as { address: string }).address : text.trim();
}

/** Whether a version is this one or a later one. */
export function isSince({ version }: ContainerPrograms, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function notTested(reason: string, inCi: boolean): [] {
  const text = `containerd and runc are not tested against: ${reason}`;
  if (inCi) throw new Error(text);
  console.warn(text);
  return [];
}

/** Why no container can run on this machine, whatever is installed. */
function whyNotHere(): string | undefined {
  if (process.platform !== "linux") return `they run on Linux only; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "they need root";
  const capabilities = /^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  // CAP_SYS_ADMIN: root of a container often may not mount.
  return ((BigInt(`0x${capabilities}`) >> 21n) & 1n) === 1n ? undefined : "root may not mount here (CAP_SYS_ADMIN)";
}

function find(): Partial<Record<Program, string>> {
  const found = {
    containerd: inPath("containerd"),
    ctr: inPath("ctr"),
    shim: inPath(shimName),
    runc: inPath("runc"),
    busybox: inPath("busybox"),
  };
  return Object.fromEntries(Object.entries(found).filter(([, path]) => path !== undefined));
}

async function missingPrograms(): Promise<Program[]> {
  const found = find();
  const missing = (Object.keys(packages) as Program[]).filter((name) => found[name] === undefined);
  if (found.busybox !== undefined && !(await isStatic(found.busybox))) missing.push("busybox");
  return missing;
}

function packagesOf(missing: readonly Program[]): string[] {
  return [...new Set(missing.map((name) => packages[name]))];
}

// ldd fails for a program that needs no libraries.
async function isStatic(program: string): Promise<boolean> {
  return (await runToEnd("ldd", [program])).code !== 0;
}

/** One at a time: apt has a lock of its own, but fails where another one holds it. */
async function install(): Promise<void> {
  await mkdir(cache, { recursive: true });
  await withFileLock(join(cache, "containerd.lock"), async () => {
    const missing = packagesOf(await missingPrograms());
    if (missing.length === 0) return;
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...missing]]) {
      await run("apt-get", ["-q", ...args], { env });
    }
  });
}

/** Unpacks the containerd of another release of Debian. Where there is no such archive, that is printed and no more. */
async function unpack(release: (typeof releases)[number], folder: string): Promise<void> {
  await mkdir(join(cache, "containerd"), { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    const partial = await mkdtemp(`${folder}-`);
    try {
      const source = await debianArguments(join(cache, "containerd"), release);
      await run("apt-get", ["-q", ...source, "update"], { cwd: partial });
      await run("apt-get", ["-q", ...source, "download", "containerd"], { cwd: partial });
      const archive = (await readdir(partial)).find((file) => file.endsWith(".deb")) ?? "no file";
      await run("dpkg-deb", ["-x", join(partial, archive), join(partial, "root")]);
      await rename(join(partial, "root"), folder);
    } catch (error) {
      console.warn(`containerd of ${release} is not tested against: ${(error as Error).message}`);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  });
}

async function versionOf(containerd: string): Promise<string | undefined> {
  const { stdout } = await runToEnd(containerd, ["--version"]);
  return /\bv?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

function inPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
