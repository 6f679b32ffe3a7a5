// Plants each bug and lets the simulator look for it: `npx -y pnpm@12 sim:planted`, with names of bugs for some of them.
// Fails when a bug is found by no seed.
import { programOptions, refuse, wholeNumber } from "../../program-options.js";
import { runSwarm, type SwarmResult } from "../threads.js";
import { plantedBugs } from "./bugs.js";

const usage = `usage: sim:planted [--seeds N] [NAME]...

NAME     a bug of planted/bugs.ts (default: all)
--seeds  how many worlds look for each at most (default 10000)`;

const { values, positionals } = programOptions(usage, {
  allowPositionals: true,
  options: { seeds: { type: "string", default: "10000" } },
});
// For bugs that are known to be out of reach: enough to see whether they still are.
const seedsOutOfReach = 1000;
const seeds = wholeNumber("--seeds", values.seeds);
for (const word of positionals) {
  if (!plantedBugs.some(({ name }) => name === word)) refuse(`there is no planted bug "${word}"`);
}
const wanted = plantedBugs.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

console.log("| bug | kind | found by | first seed | seeds run | time |");
console.log("|---|---|---|---|---|---|");
let found = 0;
let known = 0;
for (const { name, kind, what, missed } of wanted) {
  const most = missed === undefined ? seeds : Math.min(seeds, seedsOutOfReach);
  const result = await runSwarm({ from: 0, seeds: most, bug: name, mostFailures: 1 });
  if (result.failures.length > 0) found++;
  else if (missed !== undefined) known++;
  console.log(`| \`${name}\`: ${what} | ${kind} | ${cells(result).join(" | ")} |`);
}
console.log(`\n${found} of ${wanted.length} bugs found${known === 0 ? "" : `; ${known} known to be out of reach`}`);
process.exitCode = found + known === wanted.length ? 0 : 1;

function cells({ failures, worlds, ms }: SwarmResult): string[] {
  const [first] = failures;
  const time = `${(ms / 1000).toFixed(1)} s`;
  if (first === undefined) return ["**not found**", "", String(worlds), time];
  return [first.invariant, String(first.seed), String(worlds), time];
}
