import { expect, test } from "vitest";
import { type BenchCase, benchCases } from "./cases.js";
import { featuresTable } from "./features-report.js";
import { observedFigures } from "./observed.js";
import { observedTables } from "./observed-report.js";
import { resultsOf } from "./results.js";

const outcome = {
  bench: benchCases[0] as BenchCase,
  stack: "guestwire-ttrpc",
  rounds: [],
  watched: undefined,
  idle: undefined,
  error: undefined,
};
const figures = { perSecond: 1, clientCpuMicros: 1, serverCpuMicros: 1, p50Micros: 1, p99Micros: 1 };

test("a row of a plain case has nothing besides", () => {
  expect(observedFigures(outcome)).toEqual({});
});

test("loop delay and memory are named by their end; what an end has not is left out", () => {
  const client = { loopDelay: { p50: 1, p99: 2, max: 2.71234 }, peakRss: 5e7, rssGrowth: 1e6 };
  const server = { loopDelay: undefined, peakRss: Number.NaN, rssGrowth: Number.NaN };
  expect(observedFigures({ ...outcome, watched: { client, server } })).toEqual({
    clientLoopDelayP50Millis: 1,
    clientLoopDelayP99Millis: 2,
    clientLoopDelayMaxMillis: 2.712,
    clientPeakRssBytes: 5e7,
    clientRssGrowthBytes: 1e6,
    serverPeakRssBytes: null,
    serverRssGrowthBytes: null,
  });
});

test("what idles is given per one", () => {
  const memory = { heap: 1234.56, rss: 2000 };
  expect(observedFigures({ ...outcome, idle: { client: memory, server: memory, figures } })).toEqual({
    clientIdleHeapBytes: 1235,
    clientIdleRssBytes: 2000,
    serverIdleHeapBytes: 1235,
    serverIdleRssBytes: 2000,
  });
});

test("there is no table of what was not measured", () => {
  const results = resultsOf([{ case: "unary-64B-1-same", stack: "raw" }]);
  expect(observedTables(results)).toEqual([]);
  expect(featuresTable(results)).toBeUndefined();
});

test("many connections are compared with a call that is alone", () => {
  const row = (name: string, cpu: number) => ({
    ...figures,
    case: name,
    stack: "raw",
    clientCpuMicros: cpu,
    serverCpuMicros: cpu,
  });
  const [text] = observedTables(
    resultsOf([row("connections-100-cross", 3), row("connections-1-cross", 12), row("unary-64B-1-same", 4)]),
  );
  const lines = (text ?? "").split("\n").filter((line) => line.startsWith("connections-"));
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual(
    [
      ["connections-1-cross", "raw", "1.00", "24.0", "300 %", "100 %"],
      ["connections-100-cross", "raw", "1.00", "6.00", "75 %", "25 %"],
    ].map((cells) => cells.map((cell) => (cell === "1.00" ? "1" : cell))),
  );
});

test("a feature's price is what it adds within the rounds", () => {
  const row = (stack: string, cpu: number) => ({
    ...figures,
    case: "features-64B-64-cross",
    stack,
    clientCpuMicros: cpu / 2,
    serverCpuMicros: cpu / 2,
    rounds: { perSecond: [1, 1], cpuMicros: [cpu, cpu] },
  });
  const text = featuresTable(resultsOf([row("guestwire-ttrpc", 2), row("guestwire-ttrpc+full+otel", 3)])) ?? "";
  const lines = text.split("\n").filter((line) => line.startsWith("features-"));
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ["features-64B-64-cross", "bare", "1", "2.00"],
    ["features-64B-64-cross", "full + otel", "1", "3.00", "+1.00", "150 %"],
  ]);
});
