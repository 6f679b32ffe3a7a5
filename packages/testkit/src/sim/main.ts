// The simulator as a program: `npx -y pnpm@12 sim --seeds N --from S` runs many worlds, `SEED=x npx -y pnpm@12 sim` one of
// them with all that happens in it. With `--bug NAME` the product has that planted bug.
import { programOptions, refuse, wholeNumber } from "../program-options.js";
import { plant } from "./planted/bug.js";
import { plantedBugs } from "./planted/bugs.js";
import { runSwarm } from "./threads.js";

const usage = `usage: sim [--seeds N] [--from S] [--threads T] [--bug NAME]
       SEED=x sim [--bug NAME]

--seeds    how many worlds (default 10000)       --from  the first seed (default 0)
--threads  default one for each processor        --bug   plants a bug, see planted/bugs.ts
SEED=x     one world, with everything that happens in it`;

const { values } = programOptions(usage, {
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    threads: { type: "string" },
    bug: { type: "string" },
  },
});

const bug = plantedBugs.find(({ name }) => name === values.bug);
if (values.bug !== undefined && bug === undefined) refuse(`--bug: there is no planted bug "${values.bug}"`);
if (bug !== undefined) plant(bug);
// Only now: what is loaded before the bug is planted does not have it.
const { explainFailure, printWorld } = await import("./explain.js");
const seed = process.env["SEED"];
const held = seed === undefined ? await many() : await printWorld(wholeNumber("SEED", seed), bug?.name);
process.exitCode = held ? 0 : 1;

/** @returns Whether all promises held. */
async function many(): Promise<boolean> {
  const from = wholeNumber("--from", values.from);
  const seeds = wholeNumber("--seeds", values.seeds);
  const threads = values.threads === undefined ? {} : { threads: wholeNumber("--threads", values.threads, 1) };
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
  else console.log(`\n${await explainFailure(first.seed, bug?.name)}`);
  console.log(`\n${failures.length} seeds failed`);
  return false;
}
