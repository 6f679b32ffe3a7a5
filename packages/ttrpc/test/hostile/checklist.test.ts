// docs/hostile-peers.md names tests; all of them must exist.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const page = readFileSync(`${root}docs/hostile-peers.md`, "utf8");

test("every test that docs/hostile-peers.md names exists", () => {
  const files = new Map<string, string>();
  for (const [, name = "", path = ""] of page.matchAll(/^- `([a-z-]+)`: `(.+)`$/gm)) {
    files.set(name, readFileSync(root + path, "utf8"));
  }
  const named = [...page.matchAll(/`([a-z-]+) › ([^`]+)`/g)];
  const missing = named.filter(([, file = "", title = ""]) => !files.get(file)?.includes(title)).map(([all]) => all);
  expect(missing).toEqual([]);
  expect(named.length).toBeGreaterThan(100);
  const unused = [...files.keys()].filter((file) => !named.some(([, name]) => name === file));
  expect(unused).toEqual([]);
});
