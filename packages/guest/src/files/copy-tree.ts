// A copy of a tree of files: owners, modes, times, links and hard links as they are, and without a second copy of the data
// where the file system can.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Copies what is in a folder into another one, which exists.
 *
 * @param signal Gives up; what was copied stays.
 * @throws the system's error, or `cp`'s.
 */
export async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  // Node's own copying loses owners and hard links.
  await run("cp", ["-a", "--", `${from}/.`, to], signal === undefined ? {} : { signal });
}
