// The tables of calls. Measures and prints nothing.
import { type BenchCase, benchCases } from "./cases.js";
import type { Compared, Results } from "./results.js";
import { count, figure, percent, table, times } from "./table.js";

/** The tables of figures: one for each case of calls, under a line that says what the case is. */
export function figuresTables(results: Results): string {
  const heads = [
    ["", "", "CPU µs", "", "", "latency", ""],
    ["", "per second", "client +", "server", "= both", "p50 µs", "p99 µs"],
  ];
  return callCases(results)
    .map((name) => {
      const rows = results.rows.filter((row) => row.case === name);
      const lines = rows.map(({ stack }) => {
        const of = (what: string): number => results.figure(name, stack, what);
        const cpu = ["clientCpuMicros", "serverCpuMicros", "cpuMicros"].map((what) => figure(of(what)));
        return [`  ${stack}`, count(of("perSecond")), ...cpu, figure(of("p50Micros")), figure(of("p99Micros"))];
      });
      return `${name}: ${describeCase(name)}\n\n${table(heads, lines, 1)}`;
    })
    .join("\n\n");
}

/** Our ttrpc with a client that gives the memory of responses back. */
export const releasing = "guestwire-ttrpc+release";

/** The table of ratios of all cases of calls. */
export function ratiosTable(results: Results): string {
  const heads = [
    ["", "grpc-js = 1", "", "ttrpc in Go = 1", "", "raw echo = 100 %", "", "our gRPC"],
    ["case", "calls/s", "less CPU", "calls/s", "less CPU", "calls/s", "CPU", "CPU, grpc-js = 100 %"],
  ];
  const grpc = "grpcjs-protobufjs";
  const line = (name: string, ours: string, title = name): string[] => {
    const ratio = (what: Compared, above: string, below: string): number => results.ratio(name, what, above, below);
    return [
      title,
      times(ratio("perSecond", ours, grpc)),
      times(ratio("cpuMicros", grpc, ours)),
      times(ratio("perSecond", ours, "go-ttrpc")),
      times(ratio("cpuMicros", "go-ttrpc", ours)),
      percent(ratio("perSecond", ours, "raw")),
      percent(ratio("cpuMicros", ours, "raw")),
      percent(ratio("cpuMicros", "guestwire-grpc", grpc)),
    ];
  };
  const lines = callCases(results).flatMap((name) => {
    const own = line(name, "guestwire-ttrpc");
    if (Number.isNaN(results.figure(name, releasing, "perSecond"))) return [own];
    // Our gRPC has stood in the line above.
    return [own, [...line(name, releasing, "  with releaseBytes()").slice(0, -1), "-"]];
  });
  return table(heads, lines, 1);
}

/**
 * The names of the cases of calls among the results, in the order in which they run; what is idle and what
 * features cost have tables of their own.
 */
export function callCases(results: Results): string[] {
  const measured = results.rows.filter((row) => !Number.isNaN(results.figure(row.case, row.stack, "perSecond")));
  const names = [...new Set(measured.map((row) => row.case))];
  const place = (name: string): number => benchCases.findIndex((bench) => bench.name === name);
  const others = benchCases.filter(({ idle, stacks }) => idle > 0 || stacks !== undefined).map(({ name }) => name);
  return names.filter((name) => !others.includes(name)).sort((a, b) => place(a) - place(b));
}

/** What a case measures, in words. */
export function describeCase(name: string): string {
  const bench = benchCases.find((other) => other.name === name);
  if (bench === undefined) return "measured by another version of the benchmark";
  const where = bench.placement === "same" ? "both processes on one core" : "client and server on a core each";
  const full = bench.full ? ", with deadline, metadata, async handler and interceptors" : "";
  return `${load(bench)} of ${size(bench.bytes)}${full}; ${where}`;
}

function load({ kind, inFlight, connections, messages }: BenchCase): string {
  const over = connections === 1 ? "" : ` over ${count(connections)} connections`;
  const flight = inFlight === 1 ? "one call at a time" : `${count(inFlight)} calls in flight${over}`;
  if (kind === "unary") return `${flight}, each a request and a response`;
  return `${kind.replace("-", " ")}, ${count(messages)} messages per call, figures per message,`;
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1 << 20 ? `${bytes / 1024} KiB` : `${Math.ceil(bytes / (1 << 20))} MiB`;
}
