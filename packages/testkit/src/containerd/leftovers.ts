// What containers leave outside of a test's folder, as those paths are fixed: found by the test's own namespace, and removed.
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ContainerPrograms, shimAddress } from "./programs.js";
import { run, runToEnd } from "./run.js";

/** Where containerd's shim has runc keep its records, in folders by namespace. */
export const runcRoot = "/run/containerd/runc";

const cgroups = "/sys/fs/cgroup";

/** A namespace that no other test has at this time. */
export function testNamespace(): string {
  return `guestwire-${process.pid}-${++given}`;
}
let given = 0;

/** Ends all containers that runc has of a namespace. */
export async function endContainers({ runc }: ContainerPrograms, namespace: string): Promise<void> {
  const root = ["--root", join(runcRoot, namespace)];
  const { stdout } = await runToEnd(runc, [...root, "list", "-q"]);
  for (const id of stdout.split("\n").filter((line) => line !== ""))
    await runToEnd(runc, [...root, "delete", "-f", id]);
}

/**
 * Removes the records and control groups of a namespace whose containers are gone.
 *
 * @param state Folder of a containerd that has ended: what is mounted in it, and the sockets that its shims had.
 */
export async function removeLeftovers(namespace: string, state?: string): Promise<void> {
  if (state !== undefined) {
    await removeSockets(state);
    await unmountBelow(state);
  }
  await rm(join(runcRoot, namespace), { recursive: true, force: true });
  // Of version 1 there is one in every controller's folder.
  const parents = [cgroups, ...(await readdir(cgroups)).map((name) => join(cgroups, name))];
  for (const parent of parents) await removeGroup(join(parent, namespace));
}

async function removeSockets(state: string): Promise<void> {
  for (const name of await readdir(state, { recursive: true })) {
    if (!["address", "bootstrap.json"].includes(basename(name))) continue;
    const address = shimAddress(await readFile(join(state, name), "utf8").catch(() => ""));
    if (address.startsWith("unix:///run/containerd/s/")) await rm(address.slice("unix://".length), { force: true });
  }
}

/** Root file systems, which are mounted while a container is there. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
  for (const path of mounts.filter((one) => one.startsWith(`${folder}/`)).reverse()) await run("umount", ["-l", path]);
}

async function removeGroup(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

/** Kills the processes in whose command line this text stands: shims carry their namespace, which is the test's own. */
export async function killByArgument(argument: string): Promise<void> {
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!(pid > 1) || pid === process.pid) continue;
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (!args.includes(argument)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}
