import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compare, ratiosOf, readBaseline, writeBaseline } from "./baseline.js";
import { resultsOf } from "./results.js";
import { callRow } from "./testing/rows.js";

const machine = { node: "v26.10.0", machine: "linux 6.1, 2 × CPU" };
const cross = "unary-64B-64-cross";

function measured(name: string, ours: number, raw = 1000): ReturnType<typeof ratiosOf> {
  return ratiosOf(resultsOf([callRow(name, "guestwire-ttrpc", [ours]), callRow(name, "raw", [raw])]), machine);
}

test("holds ours against raw, grpc-js and Go, our gRPC against grpc-js, and nothing of what was not measured", () => {
  const stacks = ["raw", "http2", "grpcjs-protobufjs", "go-ttrpc", "guestwire-grpc", "guestwire-ttrpc"];
  const results = resultsOf([
    ...stacks.map((stack, i) => callRow(cross, stack, [1000 / (i + 1)])),
    callRow("unary-64B-1-same", "guestwire-ttrpc", [500]),
    callRow("unary-64B-1-same", "raw", [1000]),
    callRow("unary-0B-64-cross", "raw", [1000]),
  ]);
  expect(ratiosOf(results, machine)).toEqual({
    [cross]: {
      ...machine,
      ratios: {
        "calls/s of guestwire-ttrpc : raw": 0.1667,
        "CPU of raw : guestwire-ttrpc": 0.1667,
        "calls/s of guestwire-ttrpc : grpcjs-protobufjs": 0.5,
        "CPU of grpcjs-protobufjs : guestwire-ttrpc": 0.5,
        "calls/s of guestwire-ttrpc : go-ttrpc": 0.6667,
        "CPU of go-ttrpc : guestwire-ttrpc": 0.6667,
        "calls/s of guestwire-grpc : grpcjs-protobufjs": 0.6,
        "CPU of grpcjs-protobufjs : guestwire-grpc": 0.6,
      },
    },
    "unary-64B-1-same": { ...machine, ratios: { "CPU of raw : guestwire-ttrpc": 0.5 } },
  });
});

test("holds cold start and idle memory too", () => {
  const rows = [
    { case: "cold-start-call", stack: "guestwire-ttrpc", cpuMillis: 50 },
    { case: "cold-start-call", stack: "grpcjs-protobufjs", cpuMillis: 100 },
    { case: "idle-streams-10000", stack: "guestwire-ttrpc", clientIdleHeapBytes: 500, serverIdleHeapBytes: null },
    { case: "idle-streams-10000", stack: "go-ttrpc", clientIdleHeapBytes: 2000, serverIdleHeapBytes: 2000 },
    { case: "install-size", stack: "guestwire-ttrpc", bytes: 1 },
  ];
  expect(ratiosOf(resultsOf(rows), machine)).toEqual({
    "cold-start-call": { ...machine, ratios: { "CPU of grpcjs-protobufjs : guestwire-ttrpc": 2 } },
    "idle-streams-10000": { ...machine, ratios: { "client's heap of go-ttrpc : guestwire-ttrpc": 4 } },
  });
});

test("warns of a ratio that is more than 15 % worse, and of no other", () => {
  const before = measured(cross, 1000);
  expect(compare(measured(cross, 851), before)).toEqual({ compared: 2, worse: [], notes: [] });
  expect(compare(measured(cross, 2000), before).worse).toEqual([]);
  expect(compare(measured(cross, 800), before).worse).toEqual([
    `${cross}: calls/s of guestwire-ttrpc : raw is 0.8, was 1: 20 % worse`,
    `${cross}: CPU of raw : guestwire-ttrpc is 0.8, was 1: 20 % worse`,
  ]);
});

test("compares ratios, not figures: a machine of half the speed is no regression", () => {
  expect(compare(measured(cross, 500, 500), measured(cross, 1000)).worse).toEqual([]);
});

test("names another version of Node once, and counts only what both have", () => {
  const before = {
    ...measured(cross, 1000),
    ...measured("unary-0B-64-cross", 1000),
    ...measured("unary-1KiB-64-cross", 1000),
  };
  const other = { ...machine, node: "v27.0.0" };
  const rows = [cross, "unary-0B-64-cross", "new"].flatMap((name) => [
    callRow(name, "guestwire-ttrpc", [1000]),
    callRow(name, "raw", [1000]),
  ]);
  expect(compare(ratiosOf(resultsOf(rows), other), before)).toEqual({
    compared: 4,
    worse: [],
    notes: ["the baseline was measured with Node v26.10.0, this run with v27.0.0"],
  });
});

test("a file keeps the cases that a run did not measure; where there is none, nothing is compared", async () => {
  const folder = await mkdtemp(join(tmpdir(), "guestwire-baseline-"));
  try {
    const file = join(folder, "baseline.json");
    expect(await readBaseline(file)).toEqual({});
    await writeBaseline(file, measured(cross, 1000));
    await writeBaseline(file, measured("unary-0B-64-cross", 500));
    await writeBaseline(file, measured(cross, 900));
    expect(await readBaseline(file)).toEqual({ ...measured(cross, 900), ...measured("unary-0B-64-cross", 500) });
    expect((await readFile(file, "utf8")).endsWith("}\n")).toBe(true);
    await writeFile(file, "nothing");
    await expect(readBaseline(file)).rejects.toThrow(`${file} is no baseline: `);
  } finally {
    await rm(folder, { recursive: true });
  }
});
