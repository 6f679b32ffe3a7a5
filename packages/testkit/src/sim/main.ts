// The simulator as a program: `npx -y pnpm@12 sim --seeds N --from S` runs many worlds, `SEED=x npx -y pnpm@12 sim` one of
// them with all that happens in it. With `--bug NAME` the product has that planted bug.
import { parseArgs } from "node:util";
import { plant } from "./planted/bug.js";
import { plantedBugs } from "./planted/bugs.js";
import { runSwarm } from "./threads.js";

const { values } = parseArgs({
  // `pnpm sim -- --seeds 5` hands on the dashes too.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    threads: { type: "string" },
    bug: { type: "string" },
  },
});

const bug = plantedBugs.find(({ name }) => name === values.bug);
if (values.bug !== undefined && bug === undefined) throw new Error(`there is no planted bug "${values.bug}"`);
if (bug !== undefined) plant(bug);
// Only now: what is loaded before the bug is planted does not have it.
const { explainFailure, printWorld } = await import("./explain.js");
const seed = process.env["SEED"];
const held = seed === undefined ? await many() : await printWorld(whole("SEED", seed));
process.exitCode = held ? 0 : 1;

/** @returns Whether all promises held. */
async function many(): Promise<boolean> {
  const from = whole("--from", values.from);
  const seeds = whole("--seeds", values.seeds);
  const threads = values.threads === undefined ? {} : { threads: whole("--threads", values.threads) };
  const result = await runSwarm({ from, seeds, mostFailures: 5, ...threads, ...(bug && { bug: bug.name }) });
  const { worlds, steps, calls, ms, failures } = result;
  const rate = Math.round((worlds / ms) * 1000);
  console.log(
    `${worlds} seeds from ${from}: ${calls} calls, ${steps} steps, ${(ms / 1000).toFixed(1)} s, ${rate} seeds/s`,
  );
  for (const failure of failures.slice(1)) {
    console.log(`SEED=${failure.seed} step=${failure.step} ${failure.invariant}: ${failure.message}`);
  }
  const [first] = failures;
  if (first === undefined) {
    console.log("all promises hold");
    return true;
  }
  // A world that never gives the thread back would not do it here either.
  if (first.step === 0) console.log(`SEED=${first.seed} ${first.message}`);
  else console.log(`\n${await explainFailure(first.seed)}`);
  console.log(`\n${failures.length} seeds failed`);
  return false;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${name} must be a whole number from 0 on, not ${text}`);
}
