// Paths of containers and machines, which count from a folder of the host.
import { normalize, resolve } from "node:path";

/**
 * Where a path of a container or machine is on the host. ".." does not lead out of the root; symbolic links may.
 *
 * @param root The folder that counts as "/".
 * @param path An absolute path.
 */
export function pathWithin(root: string, path: string): string {
  return resolve(root, `.${normalize(`/${path}`)}`);
}
