import { expect, test } from "vitest";
import { benchCases } from "./cases.js";
import { caseOf } from "./cold/programs.js";
import { ratiosTable } from "./report.js";
import { resultsOf } from "./results.js";
import { isMet, targets, targetsTable } from "./targets.js";
import { callRow } from "./testing/rows.js";

/** What stands in a table, line by line. */
function cells(table = ""): string[][] {
  return table.split("\n").map((line) => line.trim().split(/\s{2,}/));
}

test("every target is about a case that there is", () => {
  const names: string[] = benchCases.map(({ name }) => name);
  names.push(...(["import", "messages", "package", "call"] as const).map(caseOf));
  expect(targets.map((target) => target.case).filter((name) => !names.includes(name))).toEqual([]);
});

test("no target stands there twice", () => {
  const texts = targets.map((target) => `${target.case} ${target.what}`);
  expect(texts.filter((text, i) => texts.indexOf(text) !== i)).toEqual([]);
});

test("a run says where it stands, of what it measured only", () => {
  const results = resultsOf([
    callRow("unary-64B-64-cross", "raw", [1_000_000]),
    callRow("unary-64B-64-cross", "grpcjs-protobufjs", [10_000]),
    callRow("unary-64B-64-cross", "guestwire-ttrpc", [499_000]),
    callRow("unary-64B-10000-cross", "guestwire-ttrpc", [499_000]),
  ]);
  expect(cells(targetsTable(results))).toEqual([
    ["case", "what", "target", "measured", "met"],
    Array.from({ length: 5 }, () => expect.stringMatching(/^-+$/)),
    ["unary-64B-64-cross", "calls/s, raw = 100 %", "at least 50 %", "49.9 %", "NO"],
    ["unary-64B-64-cross", "calls per CPU time, grpcjs-protobufjs = 1", "at least 80 ×", "49.9 ×", "NO"],
    ["unary-64B-10000-cross", "calls/s, those at 64 in flight = 100 %", "at least 70 %", "100 %", "yes"],
    ["unary-64B-10000-cross", "p99 latency, p50 = 1", "at most 3 ×", "2 ×", "yes"],
  ]);
});

test("what clients reach that give memory back stands beside what others do", () => {
  const results = resultsOf([
    callRow("server-stream-32KiB-cross", "raw", [100]),
    callRow("server-stream-32KiB-cross", "guestwire-ttrpc", [50]),
    callRow("server-stream-32KiB-cross", "guestwire-ttrpc+release", [90]),
  ]);
  expect(cells(targetsTable(results)).slice(2)).toEqual([
    ["server-stream-32KiB-cross", "calls/s, raw = 100 %", "at least 85 %", "50 %", "NO"],
    ["server-stream-32KiB-cross", "with releaseBytes(): calls/s, raw = 100 %", "at least 85 %", "90 %", "yes"],
  ]);
  expect(cells(ratiosTable(results)).slice(-2)).toEqual([
    ["server-stream-32KiB-cross", "-", "-", "-", "-", "50 %", "200 %", "-"],
    ["with releaseBytes()", "-", "-", "-", "-", "90 %", "111 %", "-"],
  ]);
});

test("nothing is said where no target was measured", () => {
  expect(targetsTable(resultsOf([]))).toBeUndefined();
});

test("a limit itself is met, from either side", () => {
  const [target] = targets;
  if (target === undefined) throw new Error("there are no targets");
  expect(isMet({ ...target, limit: "at least", wanted: 2 }, 2)).toBe(true);
  expect(isMet({ ...target, limit: "at least", wanted: 2 }, 1.99)).toBe(false);
  expect(isMet({ ...target, limit: "at most", wanted: 2 }, 2)).toBe(true);
  expect(isMet({ ...target, limit: "at most", wanted: 2 }, 2.01)).toBe(false);
});
