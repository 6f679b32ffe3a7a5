// All that a run prints of its results, as one text: the tables, and what a newcomer has to know to read them.
import { coldTables } from "./cold/report.js";
import { featuresTable } from "./features-report.js";
import { observedTables } from "./observed-report.js";
import { callCases, figuresTables, ratiosTable } from "./report.js";
import type { Machine, Results } from "./results.js";
import { targetsTable } from "./targets.js";

/** The text. Groups of cases that were not measured are left out. */
export function summary(results: Results, { node, machine }: Machine): string {
  const parts = [`Node ${node}, ${machine}`];
  if (callCases(results).length > 0) parts.push(calls(results));
  parts.push(...observedTables(results));
  const features = featuresTable(results);
  if (features !== undefined) parts.push(features);
  parts.push(...coldTables(results));
  const targets = targetsTable(results);
  if (targets !== undefined) parts.push(`Where this run stands beside the project's targets:\n\n${targets}`);
  return `\n${parts.join("\n\n")}\n`;
}

function calls(results: Results): string {
  return `Client and server are two processes that talk over a unix socket. A figure is the median of some rounds. "per second" is
calls (of streams: messages) that were completed; CPU is the time that the kernel charged to a process for one of them.

${figuresTables(results)}

How Guestwire's ttrpc compares. Each ratio is the median of what was measured within one round, so it is steadier than
the figures above. "calls/s" is how many times as many; "less CPU" is how many times less CPU a call takes.

${ratiosTable(results)}

"raw" is the floor and no peer: a bare echo of as many bytes on a Node socket, small messages batched. "same" in a name
is both processes on one core: the cleanest CPU per call. "cross" is a core each, kept awake by a process of the lowest
priority. Figures of a busy or virtual machine vary by half, ratios by a tenth: compare ratios.`;
}
