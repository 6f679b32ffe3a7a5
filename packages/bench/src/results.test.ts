import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { machineOf, mergeRows, readRows, resultsOf, writeRows } from "./results.js";
import { callRow } from "./testing/rows.js";

const machine = { node: "v26.10.0", machine: "linux 6.1, 2 × CPU" };

describe("ratios", () => {
  test("are medians of the rounds' ratios, not ratios of medians", () => {
    // The second round was slow for both.
    const { ratio } = resultsOf([callRow("unary", "ours", [100, 10, 130]), callRow("unary", "theirs", [50, 4, 130])]);
    expect(ratio("unary", "perSecond", "ours", "theirs")).toBe(2);
  });

  test("are NaN where a stack is missing, has other rounds or unknown figures", () => {
    const { ratio } = resultsOf([
      callRow("unary", "ours", [100, 100]),
      callRow("unary", "short", [50]),
      callRow("unary", "unknown", [null, null]),
    ]);
    expect(ratio("unary", "perSecond", "ours", "missing")).toBeNaN();
    expect(ratio("unary", "perSecond", "ours", "short")).toBeNaN();
    expect(ratio("unary", "perSecond", "ours", "unknown")).toBeNaN();
  });
});

test("figures are found by name; the CPU of both ends is their sum", () => {
  const { figure } = resultsOf([callRow("unary", "ours", [100]), { case: "cold", stack: "ours", millis: 4 } as never]);
  expect(figure("unary", "ours", "perSecond")).toBe(100);
  expect(figure("unary", "ours", "cpuMicros")).toBe(10_000);
  expect(figure("cold", "ours", "millis")).toBe(4);
  expect(figure("unary", "ours", "stack")).toBeNaN();
  expect(figure("cold", "theirs", "millis")).toBeNaN();
});

test("fresh rows take the place of older ones, the others stay", () => {
  const rows = mergeRows(
    [callRow("a", "ours", [1]), callRow("b", "ours", [2])],
    [callRow("c", "ours", [5]), callRow("b", "ours", [3])],
  );
  const { figure } = resultsOf(rows);
  expect(rows.map((row) => row.case)).toEqual(["a", "b", "c"]);
  expect(["a", "b", "c"].map((name) => figure(name, "ours", "perSecond"))).toEqual([1, 3, 5]);
});

describe("a file of rows", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "guestwire-rows-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("holds one row a line, and says of each where it was measured", async () => {
    const file = join(folder, "rows.json");
    const older = { ...callRow("a", "ours", [1]), node: "v24.0.0", machine: "another" };
    await writeRows(file, [older, callRow("b", "ours", [2])], machine);
    const rows = await readRows(file);
    expect(rows).toEqual([older, { ...callRow("b", "ours", [2]), ...machine }]);
    expect((await readFile(file, "utf8")).split("\n")).toHaveLength(5);
    expect(machineOf(rows)).toMatchObject({ node: "v24.0.0" });
  });

  test.each([
    ["{", "JSON"],
    ["{}", "it holds no array"],
    ['[{"case":"a","stack":"b"},{"case":"a"}]', "entry 1 has no case or stack"],
  ])("%s is refused by name", async (text, reason) => {
    const file = join(folder, "rows.json");
    await writeFile(file, text);
    await expect(readRows(file)).rejects.toThrow(`${file} is no file of results: `);
    await expect(readRows(file)).rejects.toThrow(reason);
  });
});
