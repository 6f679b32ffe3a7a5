// Which charts are drawn of the results, and under which names they are stored. Knows nothing of SVG.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Bar, type BarChart, drawBarChart, type Panel } from "./bar-chart.js";
import { caseOf, type Stage } from "./cold/programs.js";
import { figureOf, type Machine, type ResultRow } from "./results.js";

/** The names of the stacks for readers who do not know this benchmark. */
export const stackTitles: Readonly<Record<string, string>> = {
  raw: "bare socket echo, no RPC",
  http2: "node:http2, no messages",
  "grpcjs-protobufjs": "grpc-js + proto-loader",
  "grpcjs-protobufes": "grpc-js + protobuf-es",
  "connect-node": "connect-node, gRPC",
  "guestwire-grpc": "Guestwire gRPC",
  "guestwire-ttrpc": "Guestwire ttrpc",
  "guestwire-ttrpc+release": "Guestwire + releaseBytes()",
  "go-ttrpc": "ttrpc in Go",
};

/** One panel of a chart: a figure of all stacks in one case. */
interface PanelPlan {
  readonly case: string;
  readonly title: string;
  readonly unit: string;
  readonly moreIsBetter: boolean;
  /** The value of a stack's row. NaN for none. */
  readonly value: (row: ResultRow) => number;
}

interface ChartPlan {
  readonly file: string;
  readonly title: string;
  readonly what: string;
  readonly panels: readonly PanelPlan[];
}

/** All charts. */
export const chartPlans: readonly ChartPlan[] = [
  {
    file: "cpu-per-call.svg",
    title: "CPU time of one call",
    what: "64-byte echo over a unix socket, client and server together",
    panels: [
      cpu("unary-64B-1-same", "One call in flight, both processes on one core"),
      cpu("unary-64B-64-cross", "64 calls in flight on one connection, a core each"),
      cpu("unary-64B-64-full-cross", "The same with deadline, metadata and interceptors"),
    ],
  },
  {
    file: "calls-per-second.svg",
    title: "Calls per second on one connection",
    what: "64-byte echo over a unix socket, client and server on a core each",
    panels: [rate("unary-64B-64-cross", "64 calls in flight", "calls/s")],
  },
  {
    file: "streams.svg",
    title: "Streams from server to client",
    what: "one stream at a time over a unix socket, client and server on a core each",
    panels: [
      rate("server-stream-64B-cross", "Messages of 64 bytes", "messages/s"),
      rate("server-stream-32KiB-cross", "Messages of 32 KiB", "MiB/s", 1 / 32),
    ],
  },
  {
    file: "large-messages.svg",
    title: "Large messages, there and back",
    what: "echo over a unix socket, 8 calls in flight, client and server on a core each",
    panels: [
      rate("unary-64KiB-8-cross", "Messages of 64 KiB", "calls/s"),
      rate("unary-4MiB-8-cross", "Messages of 4 MiB", "calls/s"),
    ],
  },
  {
    file: "memory.svg",
    title: "Memory of what is open and does nothing",
    what: "resident memory of both ends together for each one, once 10,000 streams or 1,000 connections are open",
    panels: [idle("idle-streams-10000", "An idle stream"), idle("idle-connections-1000", "An idle connection")],
  },
  {
    file: "cold-start.svg",
    title: "Cold start",
    what: "a process from its start to its end",
    panels: [cold("import", "Import of the library"), cold("call", "Import, messages, connecting and one call")],
  },
];

/** The charts that the rows have values for, as SVG by file name. */
export function drawCharts(
  rows: readonly ResultRow[],
  { node, machine }: Machine,
  plans: readonly ChartPlan[] = chartPlans,
): Map<string, string> {
  const drawn = new Map<string, string>();
  for (const { file, title, what, panels } of plans) {
    const chart: BarChart = {
      title,
      subtitle: what,
      note: `Node ${node.replace(/^v/, "")}, ${machine}`,
      panels: panels.map((plan) => panelOf(plan, rows)),
    };
    if (chart.panels.some(({ bars }) => bars.length > 0)) drawn.set(file, drawBarChart(chart));
  }
  return drawn;
}

/** Draws and stores. @returns The paths of the files. */
export async function writeCharts(folder: string, rows: readonly ResultRow[], machine: Machine): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const written: string[] = [];
  for (const [name, svg] of drawCharts(rows, machine)) {
    const path = join(folder, name);
    await writeFile(path, svg);
    written.push(path);
  }
  return written;
}

function panelOf({ case: name, value, ...head }: PanelPlan, rows: readonly ResultRow[]): Panel {
  const bars = rows.flatMap((row): Bar[] => {
    const figure = row.case === name ? value(row) : Number.NaN;
    if (!Number.isFinite(figure)) return [];
    return [{ label: stackTitles[row.stack] ?? row.stack, value: figure, ours: row.stack.startsWith("guestwire") }];
  });
  return { ...head, bars };
}

function cpu(name: string, title: string): PanelPlan {
  return { case: name, title, unit: "µs", moreIsBetter: false, value: (row) => figureOf(row, "cpuMicros") };
}

function cold(stage: Stage, title: string): PanelPlan {
  const value = (row: ResultRow): number => figureOf(row, "millis");
  return { case: caseOf(stage), title, unit: "ms, starting Node included", moreIsBetter: false, value };
}

function idle(name: string, title: string): PanelPlan {
  // What the system took for other things meanwhile can be more than so little.
  const value = (row: ResultRow): number =>
    Math.max(0, figureOf(row, "clientIdleRssBytes") + figureOf(row, "serverIdleRssBytes")) / 1024;
  return { case: name, title, unit: "KiB", moreIsBetter: false, value };
}

function rate(name: string, title: string, unit: string, factor = 1): PanelPlan {
  return { case: name, title, unit, moreIsBetter: true, value: (row) => figureOf(row, "perSecond") * factor };
}
