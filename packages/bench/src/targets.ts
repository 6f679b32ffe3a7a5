// The targets of the project's issue on speed as data, and the table that says where a run stands. Decides nothing: a
// target that is missed is printed.
import { observedTargets } from "./observed-targets.js";
import { releasing } from "./report.js";
import type { Compared, Results } from "./results.js";
import { table } from "./table.js";

/** One target. */
export interface Target {
  /** The case that it is about. */
  readonly case: string;
  /** What is compared. */
  readonly what: string;
  readonly limit: "at least" | "at most";
  readonly wanted: number;
  readonly unit: Unit;
  /** The measured value; NaN where the case, or what it is compared to, was not measured. */
  readonly measure: (results: Results) => number;
}

/** How values are written. */
export type Unit = "times" | "percent" | "ms" | "KiB" | "MB";

const ours = "guestwire-ttrpc";
const grpc = "grpcjs-protobufjs";
const go = "go-ttrpc";

/** All targets, those on calls first. */
export const targets: readonly Target[] = [
  // Both processes share one core: calls per second are one second divided by the CPU of both.
  ofRaw("unary-64B-1-same", "cpuMicros", 0.85),
  ofRaw("unary-64B-1-full-same", "cpuMicros", 0.65),
  timesOf("unary-64B-1-same", grpc, "cpuMicros", 20),
  timesOf("unary-64B-1-full-same", grpc, "cpuMicros", 15),
  ofRaw("unary-64B-64-cross", "perSecond", 0.5),
  ofRaw("unary-64B-64-full-cross", "perSecond", 0.35),
  timesOf("unary-64B-64-cross", grpc, "cpuMicros", 80),
  timesOf("unary-64B-64-full-cross", grpc, "cpuMicros", 55),
  timesOf("unary-64B-64-cross", go, "perSecond", 4),
  timesOf("server-stream-64B-cross", grpc, "perSecond", 7),
  timesOf("server-stream-64B-cross", go, "perSecond", 2),
  ...[ours, releasing].flatMap((stack) => [
    ofRaw("server-stream-32KiB-cross", "perSecond", 0.85, stack),
    timesOf("server-stream-32KiB-cross", grpc, "perSecond", 6, stack),
    timesOf("server-stream-32KiB-cross", go, "perSecond", 2, stack),
    timesOf("unary-4MiB-8-cross", grpc, "perSecond", 5, stack),
    timesOf("unary-4MiB-8-cross", go, "perSecond", 2, stack),
  ]),
  {
    case: "unary-64B-10000-cross",
    what: "calls/s, those at 64 in flight = 100 %",
    limit: "at least",
    wanted: 0.7,
    unit: "percent",
    measure: ({ figure: of }) =>
      of("unary-64B-10000-cross", ours, "perSecond") / of("unary-64B-64-cross", ours, "perSecond"),
  },
  {
    case: "unary-64B-10000-cross",
    what: "p99 latency, p50 = 1",
    limit: "at most",
    wanted: 3,
    unit: "times",
    measure: ({ figure: of }) =>
      of("unary-64B-10000-cross", ours, "p99Micros") / of("unary-64B-10000-cross", ours, "p50Micros"),
  },
  ...observedTargets,
  ...["unary-64B-1-same", "unary-64B-1-full-same", "unary-64B-64-cross", "unary-64B-64-full-cross"].map(
    (name): Target => ({
      case: name,
      what: "our gRPC's CPU, grpc-js = 100 %",
      limit: "at most",
      wanted: 1.05,
      unit: "percent",
      measure: (results) => results.ratio(name, "cpuMicros", "guestwire-grpc", grpc),
    }),
  ),
  overNode("cold-start-import", 10),
  overNode("cold-start-messages", 45),
  overNode("cold-start-package", 45),
];

/** The table of all targets that were measured; `undefined` when there are none. */
export function targetsTable(results: Results, all: readonly Target[] = targets): string | undefined {
  const lines = all.flatMap((target) => {
    const measured = target.measure(results);
    if (Number.isNaN(measured)) return [];
    const wanted = `${target.limit} ${written(target.wanted, target.unit)}`;
    return [[target.case, target.what, wanted, written(measured, target.unit), isMet(target, measured) ? "yes" : "NO"]];
  });
  return lines.length === 0 ? undefined : table([["case", "what", "target", "measured", "met"]], lines, 2);
}

/** Whether a measured value is good enough. */
export function isMet({ limit, wanted }: Target, measured: number): boolean {
  return limit === "at least" ? measured >= wanted : measured <= wanted;
}

function ofRaw(name: string, what: Compared, wanted: number, stack = ours): Target {
  const target = timesOf(name, "raw", what, wanted, stack);
  return { ...target, what: target.what.replace("raw = 1", "raw = 100 %"), unit: "percent" };
}

/** How many times better than another stack: of calls per second more, of CPU less. */
function timesOf(name: string, other: string, what: Compared, wanted: number, stack = ours): Target {
  const measure = (results: Results): number =>
    what === "perSecond" ? results.ratio(name, what, stack, other) : results.ratio(name, what, other, stack);
  const how = stack === releasing ? "with releaseBytes(): " : "";
  const text = `${how}${inWords(what)}, ${other} = 1`;
  return { case: name, what: text, limit: "at least", wanted, unit: "times", measure };
}

function overNode(name: string, wanted: number): Target {
  const measure = (results: Results): number => results.figure(name, ours, "overNodeMillis");
  return { case: name, what: "whole process, above bare Node", limit: "at most", wanted, unit: "ms", measure };
}

function inWords(what: Compared): string {
  return what === "perSecond" ? "calls/s" : "calls per CPU time";
}

/** In three digits: what just misses its target must not look like it. */
function written(value: number, unit: Unit): string {
  const digits = (of: number): string => String(Number(of.toPrecision(3)));
  if (unit === "times") return `${digits(value)} ×`;
  return unit === "percent" ? `${digits(value * 100)} %` : `${digits(value)} ${unit}`;
}
