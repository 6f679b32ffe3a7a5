import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Row } from "./report.js";
import { stackNames } from "./stacks/index.js";

// The built program, as the peers' processes run built code too: `pnpm test` builds first.
const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

test("measures every stack in unary and streaming cases, and writes a row for each", () => {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-bench-test-"));
  const json = join(folder, "rows.json");
  const cases = ["unary-64B-64-full-cross", "server-stream-64B-cross", "unary-4MiB-8-cross"];
  try {
    const args = [main, "--window", "1", "--rounds", "1", "--cases", cases.join(","), "--json", json];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, failed: stderr.match(/^failed: .*/m)?.[0] }).toEqual({ status: 0, failed: undefined });
    expect(stdout).toContain("less CPU than grpc-js");
    const rows = JSON.parse(readFileSync(json, "utf8")) as Row[];
    expect(rows.map((row) => [row.case, row.stack])).toEqual(cases.flatMap((name) => stackNames.map((s) => [name, s])));
    for (const row of rows) expect(row.perSecond, `${row.stack} in ${row.case}`).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a wrong option is refused by name", () => {
  const { status, stderr } = spawnSync(process.execPath, [main, "--cases", "nothing"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain('no case is called "nothing"');
});
