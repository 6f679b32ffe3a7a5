// The table of what each feature costs beside a bare call.
import { bareName } from "./features.js";
import type { Results } from "./results.js";
import { count, figure, percent, table } from "./table.js";

/** The table of prices; `undefined` where no such case was measured. */
export function featuresTable(results: Results): string | undefined {
  const rows = results.rows.filter(({ case: name }) => name.startsWith("features-"));
  const lines = rows.map(({ case: name, stack }) => {
    const bare = bareName(stack);
    const cpu = results.figure(name, stack, "cpuMicros");
    // By the ratio within rounds, which is steadier than the difference of two medians.
    const ratio = results.ratio(name, "cpuMicros", stack, bare);
    const price = (ratio - 1) * results.figure(name, bare, "cpuMicros");
    return [
      name,
      stack === bare ? "bare" : stack.slice(bare.length + 1).replaceAll("+", " + "),
      count(results.figure(name, stack, "perSecond")),
      figure(cpu),
      ...(stack === bare ? ["", ""] : [signed(price), percent(ratio)]),
    ];
  });
  if (lines.length === 0) return undefined;
  return `What each feature costs, in µs of CPU of both ends per call. "signal" is one AbortSignal for all calls, "fresh-signal" a new
one for each; "full" is deadline, metadata, async handler and interceptors; "otel" is a trace and a metric of each call on
both sides, without an exporter.

${table(
  [
    ["", "", "", "CPU µs", "price", ""],
    ["case", "with", "per second", "both ends", "µs", "bare = 100 %"],
  ],
  lines,
  2,
)}`;
}

/** A price may be less than nothing, where it is lost in what two runs differ by. */
function signed(value: number): string {
  if (Number.isNaN(value)) return "-";
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
