// The tables of cold start and of install size. Measures and prints nothing.
import type { ResultRow, Results } from "../results.js";
import { count, figure, table } from "../table.js";
import { caseOf, type Stage } from "./programs.js";

const stages: readonly (readonly [Stage | "nothing", string])[] = [
  ["nothing", "Node alone: node -e 0"],
  ["import", "its import of the library"],
  ["messages", "with the messages of a small service"],
  ["package", "with @guestwire/machine instead"],
  ["call", "with messages, connecting and one call"],
];

/** The tables, each with a line that says what it is; none for what was not measured. */
export function coldTables(results: Results): string[] {
  return [startTable(results), sizeTable(results)].filter((text) => text !== undefined);
}

function startTable(results: Results): string | undefined {
  const lines = stages.flatMap(([stage, words]) => {
    const name = caseOf(stage);
    return sorted(results, name, "millis").map(({ stack }, i) => {
      const of = (what: string): string => figure(results.figure(name, stack, what));
      return [
        i === 0 ? words : "",
        stack,
        of("millis"),
        of("overNodeMillis"),
        of("cpuMillis"),
        of("overNodeCpuMillis"),
      ];
    });
  });
  if (lines.length === 0) return undefined;
  const heads = [
    ["", "", "whole process", "above", "CPU", "above"],
    ["a program that ends after", "stack", "ms", "bare Node", "ms", "bare Node"],
  ];
  return `Cold start: a process from its start to its end, in milliseconds; ours as packed and installed, not as in this
repository. "above" is the median of what it took longer than the Node of the same round.

${table(heads, lines, 2)}`;
}

function sizeTable(results: Results): string | undefined {
  const lines = sorted(results, "install-size", "bytes").map(({ stack }) => {
    const of = (what: string): number => results.figure("install-size", stack, what);
    return [stack, (of("bytes") / 1e6).toFixed(2), count(of("files")), count(of("packages"))];
  });
  if (lines.length === 0) return undefined;
  return `Install size: what npm installs for production. guestwire-ttrpc is rpc, ttrpc, one service package and what they need.

${table([["stack", "MB", "files", "packages"]], lines, 1)}`;
}

function sorted(results: Results, name: string, by: string): ResultRow[] {
  const value = ({ stack }: ResultRow): number => results.figure(name, stack, by);
  return results.rows.filter((row) => row.case === name).sort((a, b) => value(a) - value(b));
}
