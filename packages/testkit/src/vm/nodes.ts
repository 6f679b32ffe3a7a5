// The Node binaries that run in VMs, found or installed before a VM boots: inside there is no network.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "./parts.js";

/** A Node binary. */
export interface Node {
  readonly version: string;
  readonly path: string;
}

/** The binaries of these release lines. */
export async function nodes(lines: readonly number[]): Promise<Node[]> {
  const script = join(repositoryRoot, "test", "support", "node-binary.ts");
  const run = promisify(execFile);
  const found: Node[] = [];
  // One after the other: each may install.
  for (const line of lines) {
    const path = (await run(process.execPath, [script, `${line}`])).stdout.trim();
    const version = (await run(path, ["--version"])).stdout.trim().slice(1);
    found.push({ path, version });
  }
  return found;
}
