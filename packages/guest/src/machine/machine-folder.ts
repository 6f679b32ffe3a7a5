// A machine's folder: its record, its root file system, its console. Knows no process.
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Code } from "@guestwire/rpc";
import { exists, failure, isSystemError, textOf } from "../errors.js";
import { placeSharedFolders } from "../files/shared-folders.js";
import { writeWhole } from "../state/state-folder.js";
import type { MachineRecord } from "./machine-record.js";

/** Name of the socket in a machine's folder on which its process takes commands. */
export const socketName = "machine.sock" as const;

/** Where the parts of a machine are. */
export interface MachinePaths {
  readonly folder: string;
  readonly record: string;
  /** What the machine's commands see as their home. */
  readonly rootfs: string;
  /** What the machine's own process says. */
  readonly console: string;
}

/** The paths of a machine's parts. */
export function machinePaths(machines: string, name: string): MachinePaths {
  const folder = join(machines, name);
  const [record, rootfs, console] = ["machine.json", "rootfs", "console.log"].map((part) => join(folder, part)) as [
    string,
    string,
    string,
  ];
  return { folder, record, rootfs, console };
}

/**
 * Makes a machine's folder, as a whole or not at all. Mounts become symbolic links.
 *
 * @param draftFolder Where it is made, on the same file system.
 * @throws {RpcError} Code.AlreadyExists; Code.Internal for any other failure.
 */
export async function makeMachineFolder(machines: string, draftFolder: string, record: MachineRecord): Promise<void> {
  const draft = await mkdtemp(join(draftFolder, "machine-"));
  const paths = machinePaths(dirname(draft), draft.slice(dirname(draft).length + 1));
  try {
    await mkdir(paths.rootfs, { mode: 0o750 });
    const mounts = record.mounts.map(({ hostPath, guestPath }) => ({ host: hostPath, inside: guestPath }));
    await placeSharedFolders(paths.rootfs, mounts);
    await writeRecord(paths, record);
    await rename(draft, join(machines, record.name));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (isSystemError(error, "EEXIST", "ENOTEMPTY")) throw exists("machine", record.name);
    throw failure(Code.Internal, `machine ${JSON.stringify(record.name)}: ${textOf(error)}`, error);
  }
}

/** Writes a machine's record anew. */
export async function writeRecord(paths: MachinePaths, record: MachineRecord): Promise<void> {
  await writeWhole(paths.record, `${JSON.stringify(record, undefined, 2)}\n`);
}
