// One world by its seed, with all that happens in it; and a failing one made small. What a user of the simulator reads.
import { makePlan } from "./plan.js";
import { loadProduct } from "./product.js";
import { failureText, planText } from "./report.js";
import { runPlan, runSeed } from "./run.js";
import { shrink } from "./shrink.js";

/** Runs the world of a seed and prints everything; `bug` names the one that is planted. @returns Whether all promises held. */
export async function printWorld(seed: number, bug?: string): Promise<boolean> {
  const plan = makePlan(seed);
  const result = await runPlan(await loadProduct(), plan, true);
  console.log(planText(plan));
  for (const line of result.lines) console.log(line);
  if (result.violation === undefined) {
    console.log(`SEED=${seed}: all promises hold after ${result.steps} steps; trace ${result.hash}`);
    return true;
  }
  console.log(`\n${await explainFailure(seed, bug)}`);
  return false;
}

/** Says how the world of a seed fails: the smallest form of it, and what happens there. */
export async function explainFailure(seed: number, bug?: string): Promise<string> {
  const product = await loadProduct();
  const result = await runSeed(product, seed);
  const { violation } = result;
  // Each run is the same as the last one, unless something from outside of the simulation got in.
  if (violation === undefined) return `SEED=${seed} did not fail a second time: the world is not deterministic`;
  return failureText(result, await shrink(product, makePlan(seed), violation.invariant), bug);
}
