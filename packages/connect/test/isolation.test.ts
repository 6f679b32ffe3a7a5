// Only this package knows Connect: nobody else's users install or load it.
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const packages = new URL("../../", import.meta.url);

test("no other public package depends on Connect, and none of their sources names it in an import", async () => {
  const knowing = new Set<string>();
  for (const name of await readdir(packages)) {
    const manifest = JSON.parse(await readFile(new URL(`${name}/package.json`, packages), "utf8"));
    if (manifest.private === true) continue;
    const { dependencies, peerDependencies } = manifest;
    if (Object.keys({ ...dependencies, ...peerDependencies }).some(isConnect)) knowing.add(name);
    const sources = new URL(`${name}/src/`, packages);
    for (const file of await readdir(sources, { recursive: true })) {
      if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
      const text = await readFile(new URL(file, sources), "utf8");
      if ([...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].some(([, from]) => isConnect(from ?? "")))
        knowing.add(name);
    }
  }
  expect([...knowing]).toEqual(["connect"]);
});

function isConnect(name: string): boolean {
  return /^@connectrpc\/|^@guestwire\/connect/.test(name);
}
