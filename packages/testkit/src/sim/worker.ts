// One thread of the simulator: takes seeds and runs their worlds until there are no more or one fails.
import { parentPort, workerData } from "node:worker_threads";
import { boardFailures, boardNext, boardThreads } from "./board.js";
import { plant } from "./planted/bug.js";
import { plantedBugs } from "./planted/bugs.js";

/** What a thread is given. */
export interface WorkerTask {
  readonly from: number;
  readonly seeds: number;
  /** The name of a planted bug; `undefined` for the product as it is. */
  readonly bug: string | undefined;
  /** Shared by all threads: the next seed to take, how many failed, and what each thread is at. */
  readonly board: Int32Array;
  readonly thread: number;
  /** After so many failures all threads stop. */
  readonly mostFailures: number;
}

/** What a thread tells of a seed that failed, or of its end. */
export type WorkerNews =
  | {
      readonly is: "failed";
      readonly seed: number;
      readonly invariant: string;
      readonly message: string;
      readonly step: number;
    }
  | { readonly is: "done"; readonly worlds: number; readonly steps: number; readonly calls: number };

async function work(task: WorkerTask): Promise<void> {
  const { board, from, seeds, thread, mostFailures } = task;
  const bug = plantedBugs.find(({ name }) => name === task.bug);
  if (bug !== undefined) plant(bug);
  // Only now: what is loaded before the bug is planted does not have it.
  const [{ loadProduct }, { runSeed }] = await Promise.all([import("./product.js"), import("./run.js")]);
  const product = await loadProduct();
  let worlds = 0;
  let steps = 0;
  let calls = 0;
  while (Atomics.load(board, boardFailures) < mostFailures) {
    const index = Atomics.add(board, boardNext, 1);
    if (index >= seeds) break;
    Atomics.store(board, boardThreads + thread, from + index);
    const result = await runSeed(product, from + index);
    worlds++;
    steps += result.steps;
    calls += result.calls;
    const { violation } = result;
    if (violation === undefined) continue;
    Atomics.add(board, boardFailures, 1);
    const { invariant, message } = violation;
    tell({ is: "failed", seed: result.seed, invariant, message, step: result.steps });
  }
  tell({ is: "done", worlds, steps, calls });
}

function tell(news: WorkerNews): void {
  parentPort?.postMessage(news);
}

await work(workerData as WorkerTask);
