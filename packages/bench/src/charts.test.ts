import { expect, test } from "vitest";
import { benchCases } from "./cases.js";
import { chartPlans, drawCharts, stackTitles } from "./charts.js";
import { stackNames } from "./stacks/index.js";
import { callRow } from "./testing/rows.js";

const machine = { node: "v26.10.0", machine: "linux 6.1, 2 × CPU" };

test("only charts that there are figures for are drawn, with the machine's name", () => {
  const rows = [callRow("server-stream-32KiB-cross", "raw", [32_000]), callRow("other", "raw", [1])];
  const charts = drawCharts(rows, machine);
  expect([...charts.keys()]).toEqual(["streams.svg"]);
  expect(charts.get("streams.svg")).toContain("Node 26.10.0, linux 6.1, 2 × CPU");
  // 32,000 chunks of 32 KiB are 1000 MiB.
  expect(charts.get("streams.svg")).toContain("bare socket echo, no RPC 1,000.");
});

test("every stack has a name for readers, and charts of calls are of cases that there are", () => {
  expect(stackNames.filter((name) => stackTitles[name] === undefined)).toEqual([]);
  const names = chartPlans.flatMap(({ panels }) => panels.map((panel) => panel.case));
  const known = benchCases.map(({ name }) => name);
  expect(names.filter((name) => !known.includes(name) && !name.startsWith("cold-start-"))).toEqual([]);
});
