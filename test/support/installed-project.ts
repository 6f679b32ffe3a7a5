// A project as a user has it: an empty folder into which the packed packages are installed.
import { mkdir, mkdtemp, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** A package that is published. */
export interface PublicPackage {
  readonly name: string;
  readonly folder: string;
  readonly tarball: string;
}

/** Packs every package that is not private. */
export async function packAll(into: string): Promise<PublicPackage[]> {
  await mkdir(into, { recursive: true });
  const packages: PublicPackage[] = [];
  for (const folder of (await readdir(join(root, "packages"))).sort()) {
    const manifest = JSON.parse(await readFile(join(root, "packages", folder, "package.json"), "utf8"));
    if (manifest.private === true) continue;
    const file = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
    packages.push({ name: manifest.name, folder, tarball: join(into, file) });
  }
  const filters = packages.map(({ name }) => `--filter=${name}`);
  await pnpm([...filters, "pack", "--pack-destination", into], root);
  const made = await readdir(into);
  const missing = packages.filter(({ tarball }) => !made.includes(basename(tarball)));
  if (missing.length > 0) throw new Error(`not packed: ${missing.map(({ name }) => name).join(", ")}`);
  return packages;
}

/** Makes an empty project outside of the repository and installs tarballs into it. */
export async function installProject(packages: readonly PublicPackage[]): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "guestwire-user-")));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  // Node's types are what every TypeScript user of Node has.
  const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const wanted = [...packages.map(({ tarball }) => tarball), `@types/node@${devDependencies["@types/node"]}`];
  await run("npm", ["install", "--no-audit", "--no-fund", ...wanted], { cwd: folder });
  return folder;
}

/** Runs pnpm: the one that runs this test, or else a fresh one. */
export async function pnpm(args: readonly string[], cwd: string): Promise<void> {
  const running = process.env["npm_execpath"];
  if (running !== undefined && /pnpm/.test(running)) {
    const script = /\.[cm]?js$/.test(running);
    await run(script ? process.execPath : running, script ? [running, ...args] : args, { cwd });
  } else await run("npx", ["-y", "pnpm@12", ...args], { cwd });
}
