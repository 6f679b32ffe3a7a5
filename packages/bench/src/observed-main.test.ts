// The built program in the cases that are about more than calls; `pnpm test` builds first.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { dressedStacks } from "./features.js";
import type { ObservedFigures } from "./observed.js";
import type { Row } from "./results.js";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

test("connections, idle ones and features are measured, each with what belongs to it", () => {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-bench-test-"));
  const json = join(folder, "rows.json");
  try {
    const cases = "connections-100-cross,idle-connections-1000,features-64B-64-cross";
    const args = [
      main,
      "--window",
      "1",
      "--rounds",
      "1",
      "--stacks",
      "guestwire-ttrpc",
      "--cases",
      cases,
      "--json",
      json,
    ];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, failed: stderr.match(/^failed: .*/m)?.[0] }).toEqual({ status: 0, failed: undefined });
    const [connections, idle, ...features] = JSON.parse(readFileSync(json, "utf8")) as (Row & ObservedFigures)[];
    expect(connections?.clientLoopDelayMaxMillis).toBeGreaterThan(0);
    expect(idle?.serverIdleHeapBytes).toBeGreaterThan(0);
    expect(features.map(({ stack }) => stack)).toEqual(dressedStacks);
    for (const row of features) expect(row.perSecond, row.stack).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
