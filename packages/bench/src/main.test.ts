import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { chooseCases } from "./cases.js";
import type { ColdRow } from "./cold/measure.js";
import { caseOf, coldPrograms } from "./cold/programs.js";
import { type InstallRow, ownPackages, peerPackages } from "./cold/projects.js";
import { bareName } from "./features.js";
import { stacksFor } from "./left-out.js";
import type { Row } from "./results.js";
import { stackNames } from "./stacks/index.js";
import { callRow } from "./testing/rows.js";

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
    expect(stdout).toContain("less CPU");
    const rows = JSON.parse(readFileSync(json, "utf8")) as Row[];
    expect(rows.map((row) => [row.case, row.stack])).toEqual(
      chooseCases(cases).flatMap((bench) => stacksFor(bench, stackNames).map((stack) => [bench.name, stack])),
    );
    for (const row of rows) expect(row.perSecond, `${row.stack} in ${row.case}`).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("stored rows are shown, drawn and compared without measuring", () => {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-bench-test-"));
  const [json, baseline] = [join(folder, "rows.json"), join(folder, "baseline.json")];
  const write = (calls: number): void => {
    const rows = [
      callRow("unary-64B-64-cross", "guestwire-ttrpc", [calls]),
      callRow("unary-64B-64-cross", "raw", [1000]),
    ];
    writeFileSync(json, JSON.stringify(rows.map((row) => ({ ...row, node: "v26.0.0", machine: "a machine" }))));
  };
  const show = (...args: readonly string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, "--from", json, "--baseline", baseline, ...args], { encoding: "utf8" });
  try {
    write(500);
    expect(show("--write-baseline", "--charts", join(folder, "charts")).status).toBe(0);
    expect(readFileSync(join(folder, "charts", "cpu-per-call.svg"), "utf8")).toContain("Node 26.0.0, a machine");
    expect(show("--strict")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("Baseline: 2 ratios compared, 0 of them more than 15 % worse."),
    });
    write(400);
    expect(show()).toMatchObject({ status: 0, stderr: expect.stringContaining("is 0.4, was 0.5: 20 % worse") });
    expect(show("--strict").status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("starts every program of the cold start out of installed packages, and tells their size", () => {
  const folder = mkdtempSync(join(tmpdir(), "guestwire-bench-test-"));
  const json = join(folder, "rows.json");
  try {
    const args = [main, "--cold", "--rounds", "1", "--json", json];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, failed: stderr.match(/^failed: .*/m)?.[0] }).toEqual({ status: 0, failed: undefined });
    const rows = JSON.parse(readFileSync(json, "utf8")) as (ColdRow & InstallRow)[];
    const of = (name: string): string[] => rows.filter((row) => row.case === name).map(({ stack }) => stack);
    for (const { stage, stack } of coldPrograms) expect(of(caseOf(stage)), stdout).toContain(stack);
    expect(of("cold-start-call").sort()).toEqual([...new Set(stackNames.map(bareName))].sort());
    expect(of("install-size").sort()).toEqual([...Object.keys(ownPackages), ...Object.keys(peerPackages)].sort());
    for (const { millis, bytes } of rows) expect(millis ?? bytes).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);

test("a place where results cannot be stored is told of before anything is measured", () => {
  const json = join(main, "rows.json");
  const args = [main, "--cases", "unary-0B-1-same", "--stacks", "raw", "--json", json];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(main);
  expect(stderr).not.toContain("unary-0B-1-same");
});

test("a wrong option is refused by name", () => {
  const { status, stderr } = spawnSync(process.execPath, [main, "--cases", "nothing"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain('no case is called "nothing"');
});
