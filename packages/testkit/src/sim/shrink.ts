// Makes a failing world smaller: leaves out half of its operations, then quarters, and so on to single ones, as long as
// the same promise is still broken.
import type { Operation, Plan } from "./plan.js";
import type { Product } from "./product.js";
import { type RunResult, runPlan } from "./run.js";

/** A failing world and its run, with all text. */
export interface SmallFailure {
  readonly plan: Plan;
  readonly result: RunResult;
}

const mostRuns = 400;

/**
 * Finds a smaller plan that breaks the same promise.
 *
 * @param plan One that fails.
 * @param invariant The promise that it breaks.
 */
export async function shrink(product: Product, plan: Plan, invariant: string): Promise<SmallFailure> {
  let operations = plan.operations;
  let runs = 0;
  const fails = async (fewer: readonly Operation[]): Promise<boolean> => {
    runs++;
    const { violation } = await runPlan(product, { ...plan, operations: fewer });
    return violation?.invariant === invariant;
  };
  for (let size = Math.ceil(operations.length / 2); size >= 1 && runs < mostRuns; ) {
    const before = operations.length;
    for (let at = 0; at < operations.length && runs < mostRuns; ) {
      const fewer = [...operations.slice(0, at), ...operations.slice(at + size)];
      if (await fails(fewer)) operations = fewer;
      else at += size;
    }
    // Single ones again, as long as that helps.
    if (size === 1 && operations.length === before) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  const small = { ...plan, operations };
  return { plan: small, result: await runPlan(product, small, true) };
}
