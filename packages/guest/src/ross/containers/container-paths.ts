// Where the parts of a container are on disk, and its making there: as a whole or not at all.
import { constants, cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure, textOf } from "../../errors.js";
import { writeWhole } from "../../state/state-folder.js";
import type { ContainerRecord } from "./container-record.js";

/** The parts of a container. */
export interface ContainerPaths {
  readonly folder: string;
  readonly record: string;
  /** The folder that its working directory counts from, with the image's files where it has some. */
  readonly rootfs: string;
  readonly log: string;
}

/** The paths of a container's parts. */
export function containerPaths(containers: string, id: string): ContainerPaths {
  const folder = join(containers, id);
  return { folder, record: join(folder, "container.json"), rootfs: join(folder, "rootfs"), log: join(folder, "log") };
}

/**
 * Makes a container's folder.
 *
 * @param scratch Where it is made, on the same file system.
 * @param rootfs The image's unpacked files, to be copied.
 * @throws {RpcError} Code.Internal when the disk fails.
 */
export async function makeContainerFolder(
  containers: string,
  scratch: string,
  record: ContainerRecord,
  rootfs: string | undefined,
): Promise<void> {
  const draft = await mkdtemp(join(scratch, "container-"));
  const paths = containerPaths(dirname(draft), draft.slice(dirname(draft).length + 1));
  try {
    if (rootfs === undefined) await mkdir(paths.rootfs, { mode: 0o755 });
    else {
      // Shares blocks with the image where the file system can.
      const mode = constants.COPYFILE_FICLONE;
      await cp(rootfs, paths.rootfs, { recursive: true, verbatimSymlinks: true, mode });
    }
    await writeContainerRecord(paths, record);
    await rename(draft, join(containers, record.id));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw failure(Code.Internal, `container ${JSON.stringify(record.name)}: ${textOf(error)}`, error);
  }
}

/** Writes a container's record anew. */
export async function writeContainerRecord(paths: ContainerPaths, record: ContainerRecord): Promise<void> {
  await writeWhole(paths.record, `${JSON.stringify(record, undefined, 2)}\n`);
}
