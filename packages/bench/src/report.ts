// Makes rows and tables of what was measured. Measures nothing and prints nothing.
import type { RunFigures } from "./peer.js";
import type { Outcome } from "./run.js";
import { median } from "./statistics.js";

/** One line of the result: the medians over all rounds. CPU is `null` where the system does not tell. */
export interface Row {
  readonly case: string;
  readonly stack: string;
  /** Calls per second; for streams, messages per second. */
  readonly perSecond: number;
  /** CPU time of the client process per call (or message), in microseconds. */
  readonly clientCpuMicros: number | null;
  /** The same of the server process. */
  readonly serverCpuMicros: number | null;
  /** Half of all calls took no longer than this, in microseconds; for streams, the time until the first message. */
  readonly p50Micros: number | null;
  /** 99 of 100 calls took no longer than this. */
  readonly p99Micros: number | null;
}

const ours = "guestwire-ttrpc";

/** The rows of all stacks that have figures. */
export function rowsOf(outcomes: readonly Outcome[]): Row[] {
  return outcomes
    .filter(({ rounds }) => rounds.length > 0)
    .map(({ bench, stack, rounds }) => {
      const of = (name: keyof RunFigures): number => median(rounds.map((round) => round[name]));
      return {
        case: bench.name,
        stack,
        perSecond: rounded(of("perSecond")) ?? 0,
        clientCpuMicros: rounded(of("clientCpuMicros")),
        serverCpuMicros: rounded(of("serverCpuMicros")),
        p50Micros: rounded(of("p50Micros")),
        p99Micros: rounded(of("p99Micros")),
      };
    });
}

/** The table of figures. */
export function figuresTable(outcomes: readonly Outcome[]): string {
  const head = ["case", "stack", "per second", "CPU µs client", "+ server", "= both", "p50 µs", "p99 µs"];
  const lines = rowsOf(outcomes).map((row) => [
    row.case,
    row.stack,
    count(row.perSecond),
    figure(row.clientCpuMicros),
    figure(row.serverCpuMicros),
    figure((row.clientCpuMicros ?? Number.NaN) + (row.serverCpuMicros ?? Number.NaN)),
    figure(row.p50Micros),
    figure(row.p99Micros),
  ]);
  return table(head, lines, 2);
}

/** The table of ratios: the median over the rounds of what was measured within one round. */
export function ratiosTable(outcomes: readonly Outcome[]): string {
  const names = [...new Set(outcomes.map(({ bench }) => bench.name))];
  const lines = names.map((name) => {
    const rounds = (stack: string): readonly RunFigures[] =>
      outcomes.find((outcome) => outcome.bench.name === name && outcome.stack === stack)?.rounds ?? [];
    const guestwire = rounds(ours);
    const grpc = rounds("grpcjs-protobufjs");
    const raw = rounds("raw");
    const go = rounds("go-ttrpc");
    return [
      name,
      times(ratio(guestwire, grpc, speed)),
      times(ratio(grpc, guestwire, cpu)),
      times(ratio(guestwire, go, speed)),
      times(ratio(go, guestwire, cpu)),
      percent(ratio(guestwire, raw, speed)),
      percent(ratio(guestwire, raw, cpu)),
      percent(ratio(rounds("guestwire-grpc"), grpc, cpu)),
    ];
  });
  const head = [
    "case",
    "speed, grpc-js = 1",
    "less CPU than grpc-js",
    "speed, Go's ttrpc = 1",
    "less CPU than Go",
    "speed, raw = 100 %",
    "CPU, raw = 100 %",
    "our gRPC's CPU, grpc-js = 100 %",
  ];
  return table(head, lines, 1);
}

function speed(figures: RunFigures): number {
  return figures.perSecond;
}

function cpu(figures: RunFigures): number {
  return figures.clientCpuMicros + figures.serverCpuMicros;
}

function ratio(
  above: readonly RunFigures[],
  below: readonly RunFigures[],
  of: (figures: RunFigures) => number,
): number {
  if (above.length !== below.length) return Number.NaN;
  return median(above.map((figures, i) => of(figures) / of(below[i] as RunFigures)));
}

function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function figure(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "-";
  return value >= 100 ? count(value) : value.toPrecision(3);
}

function times(value: number): string {
  return Number.isNaN(value) ? "-" : `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ×`;
}

function percent(value: number): string {
  return Number.isNaN(value) ? "-" : `${(value * 100).toFixed(0)} %`;
}

/** Lays out columns; the first `texts` columns are flush left, the others, being numbers, flush right. */
function table(head: readonly string[], lines: readonly (readonly string[])[], texts: number): string {
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    line.map((cell, i) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return [format(head), widths.map((width) => "-".repeat(width)).join("  "), ...lines.map(format)].join("\n");
}
