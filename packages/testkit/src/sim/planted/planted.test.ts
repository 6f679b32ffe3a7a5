// Whether the planted bugs can still be planted: their texts are those of compiled files, which change. That they are found
// is what `sim:planted` shows; here one of them stands for all.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Edit, occurrences } from "./bug.js";
import { plantedBugs } from "./bugs.js";

/** The compiled modules of a package, without its tests. */
function modules(name: string): string[] {
  const folder = new URL(`../../../../${name}/dist/`, import.meta.url);
  return (
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      // What was packed for publishing lies in a hidden folder.
      .filter((path) => path.endsWith(".js") && !path.includes(".test.") && !path.startsWith("."))
      .map((path) => readFileSync(new URL(path, folder), "utf8"))
  );
}

const compiled: Record<Edit["in"], string[]> = { rpc: modules("rpc"), ttrpc: modules("ttrpc") };

describe("a planted bug", () => {
  test.each(plantedBugs)("$name changes what is there once", ({ edits }) => {
    for (const { in: name, find, put } of edits) {
      const found = compiled[name].map((source) => occurrences(source, find)).filter((count) => count > 0);
      expect(found, `${find} in ${name}`).toEqual([1]);
      expect(put).not.toBe(find);
    }
  });

  test("has a name of its own", () => {
    expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length);
  });
});
