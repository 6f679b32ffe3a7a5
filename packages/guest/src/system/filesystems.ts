// Freezing of file systems: all ext4 mounts or none, and what was frozen last. How one is frozen is the caller's.
import { readFile } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import { failure, textOf } from "../errors.js";

/** Freezes and thaws one file system by its mount point. Needs root, and the FIFREEZE ioctl that Node has not. */
export interface FilesystemFreezer {
  freeze(mountPoint: string): Promise<void>;
  thaw(mountPoint: string): Promise<void>;
}

/** What the System service does to file systems. */
export interface Filesystems {
  /** Freezes all ext4 mounts; thaws them again when one fails. @throws {RpcError} Code.Unknown. */
  freeze(): Promise<string[]>;
  /** Thaws what the last freeze froze, and forgets it in any case. @throws {RpcError} Code.Unknown: the first failure. */
  thaw(): Promise<void>;
}

/** A freezer for guests that cannot: every freeze fails. */
export const noFreezer: FilesystemFreezer = {
  async freeze() {
    throw new Error("operation not permitted: this guest cannot freeze file systems");
  },
  async thaw() {},
};

/**
 * @param freezer Does the work.
 * @param mounts Where the kernel lists the mounts.
 */
export function createFilesystems(freezer: FilesystemFreezer, mounts = "/proc/self/mounts"): Filesystems {
  let frozen: string[] = [];
  return {
    async freeze() {
      const done: string[] = [];
      for (const point of ext4Mounts(await readFile(mounts, "utf8"))) {
        try {
          await freezer.freeze(point);
        } catch (error) {
          // The first failure is what counts, whatever else goes wrong now.
          for (const undo of done.reverse()) await freezer.thaw(undo).catch(() => {});
          throw failure(Code.Unknown, `freeze ${point}: ${textOf(error)}`, error);
        }
        done.push(point);
      }
      frozen = done;
      return done;
    },
    async thaw() {
      const points = frozen;
      frozen = [];
      let first: Error | undefined;
      for (const point of points) {
        await freezer.thaw(point).catch((error: unknown) => {
          first ??= failure(Code.Unknown, `thaw ${point}: ${textOf(error)}`, error);
        });
      }
      if (first !== undefined) throw first;
    },
  };
}

/** Mount points of the ext4 file systems, each file system once: it cannot be frozen twice. */
function ext4Mounts(table: string): string[] {
  const points = new Map<string, string>();
  for (const line of table.split("\n")) {
    const [device = "", point = "", type] = line.split(" ");
    if (type === "ext4" && !points.has(device)) points.set(device, unescaped(point));
  }
  return [...points.values()];
}

/** The kernel writes blanks and backslashes in octal. */
function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
