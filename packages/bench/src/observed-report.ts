// The tables of what is not about calls: event loops and memory under load, connections, and what idles.
import { benchCases } from "./cases.js";
import type { ObservedFigure } from "./observed.js";
import type { ResultRow, Results } from "./results.js";
import { count, figure, percent, table } from "./table.js";

/** The tables of the cases that were measured, each under a line that says what it is. */
export function observedTables(results: Results): string[] {
  return [connections(results), underLoad(results), idle(results)].filter((text) => text !== undefined);
}

function connections(results: Results): string | undefined {
  const rows = rowsWhere(results, (name) => name.startsWith("connections-"));
  const lines = rows.map(({ case: name, stack }) => {
    const cpu = results.figure(name, stack, "cpuMicros");
    return [
      name,
      stack,
      count(results.figure(name, stack, "perSecond")),
      figure(cpu),
      // A lone call from core to core pays for waking the other one up; on one core it does not.
      percent(cpu / results.figure("unary-64B-1-same", stack, "cpuMicros")),
      percent(cpu / results.figure("connections-1-cross", stack, "cpuMicros")),
    ];
  });
  return section(
    'Many connections, each with one call of 64 B under way. "= 100 %" is the CPU of a call that is alone: on one core (the clean\nprice), and from core to core.',
    [
      ["", "", "", "CPU µs", "alone, one core", "alone, two cores"],
      ["case", "stack", "per second", "both ends", "= 100 %", "= 100 %"],
    ],
    lines,
  );
}

function underLoad(results: Results): string | undefined {
  const rows = rowsWith(results, "PeakRssBytes");
  const lines = rows.map(({ case: name, stack }) => {
    const of = (what: string): number => results.figure(name, stack, what);
    return [
      name,
      stack,
      ...ends((end) => delays(of, end)),
      ...ends((end) => megabytes(of(`${end}RssGrowthBytes`))),
      figure(of("p99Micros") / of("p50Micros")),
    ];
  });
  return section(
    "Event loops and memory under load, from a round of its own behind the measured ones. The delay is from one turn to the\nnext, where 1 is no delay; growth is the most memory that a process ever had less what it had before its first call.",
    [
      ["", "", "loop delay, p50 / p99 / max ms", "", "growth, MB", "", "p99 latency"],
      ["case", "stack", "client", "server", "client", "server", "p50 = 1"],
    ],
    lines,
  );
}

function idle(results: Results): string | undefined {
  const rows = rowsWith(results, "IdleHeapBytes");
  const lines = rows.map(({ case: name, stack }) => {
    const of = (what: string): number => results.figure(name, stack, what);
    return [
      name,
      stack,
      ...ends((end) => count(of(`${end}IdleHeapBytes`))),
      ...ends((end) => count(of(`${end}IdleRssBytes`))),
      figure(of("cpuMicros")),
    ];
  });
  return section(
    "What one open stream or connection costs that was used once and does nothing: memory after all garbage was collected.\nHeap is the engine's with its buffers; of Go its heap and its goroutines' stacks.",
    [
      ["", "", "heap, bytes", "", "RSS, bytes", "", "to open it"],
      ["case", "stack", "client", "server", "client", "server", "CPU µs"],
    ],
    lines,
  );
}

function delays(of: (what: string) => number, end: string): string {
  const values = (["P50", "P99", "Max"] as const).map((part) => of(`${end}LoopDelay${part}Millis`));
  return values.every(Number.isNaN) ? "-" : values.map((value) => value.toFixed(value < 10 ? 1 : 0)).join(" / ");
}

function megabytes(bytes: number): string {
  return figure(bytes / 1e6);
}

function ends(of: (end: "client" | "server") => string): [string, string] {
  return [of("client"), of("server")];
}

function rowsWith(results: Results, what: ObservedFigure): ResultRow[] {
  return rowsWhere(results, (name, stack) => !Number.isNaN(results.figure(name, stack, `client${what}`)));
}

/** Rows in the order of the cases: those of a stored file may stand in any. */
function rowsWhere(results: Results, fits: (name: string, stack: string) => boolean): ResultRow[] {
  const place = (row: ResultRow): number => benchCases.findIndex(({ name }) => name === row.case);
  return results.rows.filter((row) => fits(row.case, row.stack)).sort((a, b) => place(a) - place(b));
}

function section(
  head: string,
  heads: readonly (readonly string[])[],
  lines: readonly (readonly string[])[],
): string | undefined {
  return lines.length === 0 ? undefined : `${head}\n\n${table(heads, lines, 2)}`;
}
