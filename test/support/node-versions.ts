// The Node versions that users may have, as binaries out of npm packages. Installed on first use, kept in .cache.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** One version of each release line that is supported. */
export const supportedNodes = { 22: "22.23.3", 24: "24.21.0", 26: "26.10.0" } as const;

/** A release line of Node. */
export type NodeLine = keyof typeof supportedNodes;

/** The path of a Node binary, which is installed where it is not yet. */
export async function nodeBinary(line: NodeLine): Promise<string> {
  const version = supportedNodes[line];
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(root, ".cache", "nodes", version);
  const binary = join(folder, "node_modules", name, "bin", "node");
  if (existsSync(binary)) return binary;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--no-save", `${name}@${version}`], { cwd: folder });
  return binary;
}
