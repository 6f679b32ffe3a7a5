// pnpm fuzz: feeds decoders and sessions with bytes that lead to new code. Runs from the sources.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { setFlagsFromString } from "node:v8";
import { programOptions } from "../program-options.js";
import { readCorpus, writeCorpus, writeCrash } from "./corpus.js";
import { type Coverage, startCoverage } from "./coverage.js";
import { failureOf, fuzz, watchBackground } from "./fuzzer.js";
import { distil, minimise } from "./minimise.js";
import type { FuzzTarget } from "./target.js";
import { fuzzTargets } from "./targets.js";

const usage = `pnpm fuzz [--target NAME]... [--seconds N] [--runs N] [--seed N] [--save] [--blind] [--json]
pnpm fuzz --target NAME --replay FILE
pnpm fuzz --list

--target   which (default: all)          --seconds  how long for each (default 60; 0: until --runs)
--runs     executions of each at most    --seed     other random changes (default 1)
--save     put what was found into the corpus, and leave out what adds nothing
--blind    without coverage              --replay   run one input`;

const { values } = programOptions(usage, {
  options: {
    target: { type: "string", multiple: true },
    seconds: { type: "string", default: "60" },
    runs: { type: "string" },
    seed: { type: "string", default: "1" },
    replay: { type: "string" },
    save: { type: "boolean", default: false },
    blind: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function chosen(): readonly FuzzTarget[] {
  return (
    values.target?.map((name) => {
      const target = fuzzTargets.find((one) => one.name === name);
      if (target === undefined) throw new Error(`there is no target "${name}"; --list shows all`);
      return target;
    }) ?? fuzzTargets
  );
}

function number(name: "seconds" | "runs" | "seed", least: number): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < least)
    throw new Error(`--${name} must be a number from ${least} on, not "${text}"`);
  return value;
}

/** Whether a file is the product's. */
function isProduct(url: string): boolean {
  return /\/packages\/(rpc|ttrpc|vsock|arcbox-frames)\/src\/(?!.*\.test)/.test(url);
}

async function run(target: FuzzTarget, coverage: Coverage | undefined): Promise<boolean> {
  const seconds = number("seconds", 0) as number;
  const seed = number("seed", 0) as number;
  const result = await fuzz(target, {
    seed,
    ms: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000,
    runs: number("runs", 1) ?? Number.POSITIVE_INFINITY,
    corpus: readCorpus(target.name).map(({ input }) => input),
    ...(coverage !== undefined && { coverage }),
  });
  const { executions, ms, corpus, found, finding } = result;
  const figures = {
    target: target.name,
    executions,
    seconds: Math.round(ms / 100) / 10,
    covered: coverage?.covered,
    corpus: corpus.length,
    found: found.length,
  };
  if (values.json) console.log(JSON.stringify({ ...figures, failed: finding !== undefined }));
  else {
    const rate = Math.round(executions / (ms / 1000)).toLocaleString("en");
    console.log(
      `${target.name}: ${executions.toLocaleString("en")} executions in ${figures.seconds} s (${rate}/s), ` +
        `${found.length} inputs found new code${finding === undefined ? "" : "; FAILED"}`,
    );
  }
  if (finding !== undefined) {
    const input = await minimise(target, finding.input, finding.error);
    const file = relative(process.cwd(), writeCrash(target.name, input));
    console.error(finding.error.stack);
    console.error(`${input.length} bytes: ${Buffer.from(input).toString("hex")}`);
    console.error(`again: pnpm fuzz --target ${target.name} --replay ${file}`);
    return false;
  }
  if (values.save) {
    const watch = startCoverage(isProduct);
    const kept = await distil(target, corpus.slice(target.seeds.length), watch);
    watch.close();
    writeCorpus(target.name, kept);
    console.log(`${target.name}: ${kept.length} inputs in the corpus`);
  }
  return true;
}

async function replay(file: string): Promise<boolean> {
  const [target, other] = chosen();
  if (target === undefined || other !== undefined) throw new Error("--replay needs one --target");
  const error = await failureOf(target, readFileSync(file));
  if (error === undefined) console.log(`${target.name}: nothing is wrong with ${file}`);
  else console.error(error.stack);
  return error === undefined;
}

// Rejected promises and stray errors must not end the program: they are findings.
watchBackground();
// So that a batch's garbage is no reason to stop.
setFlagsFromString("--max-old-space-size=2048");
try {
  let good = true;
  if (values.list) for (const { name, checks } of fuzzTargets) console.log(`${name.padEnd(18)}${checks}`);
  else if (values.replay !== undefined) good = await replay(values.replay);
  else {
    for (const target of chosen()) {
      const coverage = values.blind ? undefined : startCoverage(isProduct);
      good = (await run(target, coverage)) && good;
      coverage?.close();
    }
  }
  process.exitCode = good ? 0 : 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
