// A failing world as text: what broke, how to see it again, and the smallest list of operations that breaks it.
import type { Operation, Plan } from "./plan.js";
import type { RunResult } from "./run.js";
import type { SmallFailure } from "./shrink.js";

const lastLines = 40;

/** The first lines of a failure: the seed, the step, the promise. */
export function headline({ seed, steps, violation }: RunResult): string {
  return `SEED=${seed} step=${steps} ${violation?.invariant}: ${violation?.message}`;
}

/** A failure and its smallest form. Where a bug is planted, its name is part of how to see it again. */
export function failureText(result: RunResult, small: SmallFailure, bug?: string): string {
  const { lines } = small.result;
  return [
    headline(result),
    `replay: SEED=${result.seed} npx -y pnpm@12 sim${bug === undefined ? "" : ` --bug ${bug}`}`,
    "",
    `the smallest list of operations that breaks ${result.violation?.invariant} (step ${small.result.steps}):`,
    planText(small.plan),
    "",
    `the last ${Math.min(lastLines, lines.length)} of its ${lines.length} events:`,
    ...lines.slice(-lastLines),
    `           ${small.result.violation?.invariant}: ${small.result.violation?.message}`,
  ].join("\n");
}

/** A world's settings and operations, one a line. */
export function planText(plan: Plan): string {
  const { operations, ...settings } = plan;
  return [JSON.stringify(settings), ...operations.map(operationText)].map((line) => `  ${line}`).join("\n");
}

function operationText({ seed: _, ...operation }: Operation): string {
  // Infinity stands for never, which JSON has no word for.
  return JSON.stringify(operation, (_key, value) => (value === Number.POSITIVE_INFINITY ? "never" : value));
}
