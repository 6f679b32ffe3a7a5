// The loop: change a known input, run it, keep it where it reached new code, stop where it failed. Prints nothing.
import { performance } from "node:perf_hooks";
import type { Coverage, Spot } from "./coverage.js";
import { mutate } from "./mutate.js";
import { createRandom } from "./random.js";
import { FuzzFault, type FuzzTarget } from "./target.js";

/** How long and from where. */
export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many milliseconds. */
  readonly ms: number;
  /** Ends after so many executions. */
  readonly runs: number;
  /** Inputs that are known already, beside the target's own. */
  readonly corpus: readonly Uint8Array[];
  /** Leads to new code; without it inputs are changed blindly. */
  readonly coverage?: Coverage;
}

/** An input that the oracle does not accept. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: Error;
}

/** What came of it. */
export interface FuzzResult {
  readonly executions: number;
  readonly ms: number;
  /** Inputs that reached code which nothing before them did, seeds first. */
  readonly corpus: readonly Uint8Array[];
  /** Those of them that were not known before. */
  readonly found: readonly Uint8Array[];
  readonly finding: Finding | undefined;
}

// Between two looks at the counters, each of which takes about a millisecond.
const batchMs = 25;
const batchRuns = 4096;
const stuckMs = 5000;
const memoryBytes = 768 << 20;

let background: unknown;

/** Errors that reach nobody count for the input that runs. To be called once by a program that fuzzes. */
export function watchBackground(): void {
  const remember = (error: unknown): void => {
    background ??= error ?? new Error("a promise was rejected with nothing");
  };
  process.on("uncaughtException", remember);
  process.on("unhandledRejection", remember);
}

/** Runs one input. @returns What was wrong with it. */
export async function runOnce(target: FuzzTarget, input: Uint8Array): Promise<Error | undefined> {
  const { maxMs = 50 } = target;
  background = undefined;
  const began = performance.now();
  try {
    const done = target.run(input);
    if (done !== undefined) await inTime(done);
  } catch (error) {
    return error instanceof Error ? error : new FuzzFault(`threw ${String(error)}`);
  }
  if (background !== undefined) return background instanceof Error ? background : new FuzzFault(String(background));
  const took = performance.now() - began;
  return took > maxMs ? new SlowRun(`took ${Math.round(took)} ms; ${maxMs} are allowed`) : undefined;
}

// A run that never settles would end the program without a word, as nothing else keeps it alive.
let stuck: { readonly since: number; readonly reject: (error: Error) => void } | undefined;
let watchdog: NodeJS.Timeout | undefined;

function inTime(done: Promise<void>): Promise<void> {
  watchdog ??= setInterval(() => {
    if (stuck === undefined) {
      clearInterval(watchdog);
      watchdog = undefined;
    } else if (performance.now() - stuck.since > stuckMs) stuck.reject(new FuzzFault("the run does not end"));
  }, 1000);
  return new Promise((resolve, reject) => {
    const mine = { since: performance.now(), reject };
    stuck = mine;
    const over = (): void => {
      if (stuck === mine) stuck = undefined;
    };
    done.then(resolve, reject).finally(over);
  });
}

class SlowRun extends FuzzFault {}

/** As {@link runOnce}; a run counts as slow only where it is so five times, as the machine may be busy elsewhere. */
export async function failureOf(target: FuzzTarget, input: Uint8Array): Promise<Error | undefined> {
  let error: Error | undefined;
  for (let times = 0; times < 5; times++) {
    error = await runOnce(target, input);
    if (!(error instanceof SlowRun)) return error;
  }
  return error;
}

/** Fuzzes one target. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const { coverage } = options;
  const { maxBytes = 512, dictionary } = target;
  const random = createRandom(options.seed);
  const corpus: Uint8Array[] = [];
  const found: Uint8Array[] = [];
  const began = performance.now();
  let executions = 0;

  const execute = async (input: Uint8Array): Promise<Finding | undefined> => {
    executions++;
    let error = await runOnce(target, input);
    if (error instanceof SlowRun) error = await failureOf(target, input);
    return error === undefined ? undefined : { input, error };
  };
  const result = (finding?: Finding): FuzzResult => ({
    executions,
    ms: performance.now() - began,
    corpus,
    found,
    finding,
  });
  /** Searches a batch for the inputs that reached the new places. */
  const search = async (batch: readonly Uint8Array[], spots: readonly Spot[], watch: Coverage): Promise<void> => {
    if (spots.length === 0) return;
    if (batch.length === 1) {
      corpus.push(batch[0] as Uint8Array);
      found.push(batch[0] as Uint8Array);
      return;
    }
    const half = batch.slice(0, batch.length >> 1);
    for (const input of half) await target.run(input);
    const here = watch.among(spots);
    await search(half, here, watch);
    await search(
      batch.slice(batch.length >> 1),
      spots.filter((spot) => !here.includes(spot)),
      watch,
    );
  };

  for (const input of [...target.seeds, ...options.corpus]) {
    const finding = await execute(input);
    if (finding !== undefined) return result(finding);
    corpus.push(input);
  }
  coverage?.fresh();
  while (performance.now() - began < options.ms && executions < options.runs) {
    const batch: Uint8Array[] = [];
    const until = performance.now() + batchMs;
    while (batch.length < batchRuns && executions < options.runs && performance.now() < until) {
      const input = mutate(corpus, random, maxBytes, dictionary);
      batch.push(input);
      const finding = await execute(input);
      if (finding !== undefined) return result(finding);
    }
    if (coverage !== undefined) await search(batch, coverage.fresh(), coverage);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    if (heapUsed + arrayBuffers > memoryBytes) {
      const input = batch.at(-1) as Uint8Array;
      return result({ input, error: new FuzzFault(`${(heapUsed + arrayBuffers) >> 20} MiB are held after a batch`) });
    }
  }
  return result();
}
