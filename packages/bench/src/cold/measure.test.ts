import { expect, test } from "vitest";
import { resultsOf } from "../results.js";
import { rowsOf } from "./measure.js";
import { coldPrograms } from "./programs.js";
import { coldTables } from "./report.js";
import { timeStart } from "./start.js";

const starts = (...walls: readonly number[]): { wall: number; cpu: number }[] =>
  walls.map((wall) => ({ wall, cpu: wall / 2 }));

test("what is above a bare Node is the median within rounds", () => {
  const [, row] = rowsOf([
    { case: "cold-start-nothing", stack: "node", starts: starts(20, 20, 40) },
    { case: "cold-start-import", stack: "raw", starts: starts(25, 26, 47) },
  ]);
  expect(row).toEqual({
    case: "cold-start-import",
    stack: "raw",
    millis: 26,
    cpuMillis: 13,
    overNodeMillis: 6,
    overNodeCpuMillis: 3,
    starts: 3,
  });
});

test("a program that failed in a round is compared with nothing, and one that never ended well has no row", () => {
  const rows = rowsOf([
    { case: "cold-start-nothing", stack: "node", starts: starts(20, 20) },
    { case: "cold-start-import", stack: "raw", starts: starts(25) },
    { case: "cold-start-import", stack: "http2", starts: [] },
  ]);
  expect(rows.map(({ stack, overNodeMillis }) => [stack, overNodeMillis])).toEqual([
    ["node", 0],
    ["raw", null],
  ]);
});

test("the tables begin with the quickest, and are left out where nothing was measured", () => {
  const rows = [
    ...rowsOf([
      { case: "cold-start-nothing", stack: "node", starts: starts(20) },
      { case: "cold-start-import", stack: "http2", starts: starts(37) },
      { case: "cold-start-import", stack: "raw", starts: starts(25) },
    ]),
    { case: "install-size", stack: "protobuf-es", bytes: 1_990_000, files: 363, packages: 1 },
  ];
  const [cold = "", size = "", ...more] = coldTables(resultsOf(rows));
  expect(more).toEqual([]);
  expect(cold.indexOf("raw")).toBeLessThan(cold.indexOf("http2"));
  expect(size).toMatch(/protobuf-es +1\.99 +363 +1/);
  expect(coldTables(resultsOf([]))).toEqual([]);
});

test("a start is timed to the end of the process, and believes what that says of its CPU time", async () => {
  const says = (text: string): string[] => [process.execPath, "-e", text];
  const { wall, cpu } = await timeStart(says(`console.log('{"user":1500,"system":500}')`), ".", 30_000);
  expect(cpu).toBe(2);
  expect(wall).toBeGreaterThan(1);
  await expect(timeStart(says("console.error('broken'); process.exit(3)"), ".", 30_000)).rejects.toThrow(
    /^it ended with 3: broken$/,
  );
  await expect(timeStart(["/no/such/program"], ".", 30_000)).rejects.toThrow("ENOENT");
});

test("no two programs share a file", () => {
  const files = coldPrograms.map(({ stack, stage }) => `${stack}.${stage}`);
  expect(new Set(files).size).toBe(files.length);
});
