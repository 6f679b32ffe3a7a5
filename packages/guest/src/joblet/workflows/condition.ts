// What must have happened to other jobs before a job may start, as a tree. Knows no text and no job but their names.
import type { FinalJobStatus } from "@guestwire/joblet";

/** A condition on jobs; JSON. Jobs are named by whatever the tree was made with. */
export type Condition =
  | { readonly kind: "is"; readonly job: string; readonly statuses: readonly FinalJobStatus[] }
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition };

/** The statuses that FINISHED stands for: the job ran and is over. */
export const finishedStatuses: readonly FinalJobStatus[] = ["COMPLETED", "FAILED", "STOPPED", "TIMEOUT"];

/**
 * Evaluates a condition as far as it is decided.
 *
 * @param outcome The final status of a job; `undefined` while it has none.
 * @returns `undefined` while it can still become either.
 */
export function evaluate(
  condition: Condition,
  outcome: (job: string) => FinalJobStatus | undefined,
): boolean | undefined {
  switch (condition.kind) {
    case "is": {
      const status = outcome(condition.job);
      return status === undefined ? undefined : condition.statuses.includes(status);
    }
    case "not": {
      const result = evaluate(condition.part, outcome);
      return result === undefined ? undefined : !result;
    }
    default: {
      const decisive = condition.kind === "or";
      const results = condition.parts.map((part) => evaluate(part, outcome));
      if (results.includes(decisive)) return decisive;
      return results.includes(undefined) ? undefined : !decisive;
    }
  }
}

/** All jobs that a condition names, each once. */
export function jobsOf(condition: Condition): string[] {
  switch (condition.kind) {
    case "is":
      return [condition.job];
    case "not":
      return jobsOf(condition.part);
    default:
      return [...new Set(condition.parts.flatMap(jobsOf))];
  }
}

/** The same condition with other names. */
export function renamed(condition: Condition, name: (job: string) => string): Condition {
  switch (condition.kind) {
    case "is":
      return { ...condition, job: name(condition.job) };
    case "not":
      return { kind: "not", part: renamed(condition.part, name) };
    default:
      return { kind: condition.kind, parts: condition.parts.map((part) => renamed(part, name)) };
  }
}
