// Runs many seeds on several threads. A world that never gives the thread back is noticed too.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { boardFailures, boardThreads } from "./board.js";
import type { WorkerNews, WorkerTask } from "./worker.js";

/** A seed that failed. */
export interface FailedSeed {
  readonly seed: number;
  readonly invariant: string;
  readonly message: string;
  readonly step: number;
}

/** What came of many seeds. */
export interface SwarmResult {
  readonly worlds: number;
  readonly steps: number;
  readonly calls: number;
  readonly ms: number;
  /** In the order of their seeds. */
  readonly failures: readonly FailedSeed[];
}

/** What to run. */
export interface SwarmOptions {
  readonly from: number;
  readonly seeds: number;
  /** The name of a planted bug. */
  readonly bug?: string;
  /** Stops after so many failures. */
  readonly mostFailures: number;
  /** Default one for each processor. */
  readonly threads?: number;
}

const watchMs = 1000;
// A world takes a few milliseconds; even on a busy machine it does not take so long.
const stuckMs = 30_000;

/** Runs seeds. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmResult> {
  const { from, seeds, mostFailures, threads = availableParallelism() } = options;
  const board = new Int32Array(new SharedArrayBuffer(4 * (boardThreads + threads)));
  board.fill(-1, boardThreads);
  const failures: FailedSeed[] = [];
  const sum = { worlds: 0, steps: 0, calls: 0 };
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const task: WorkerTask = { from, seeds, bug: options.bug, board, thread, mostFailures };
      return runThread(task, failures, sum);
    }),
  );
  failures.sort((a, b) => a.seed - b.seed);
  return { ...sum, ms: performance.now() - startedAt, failures };
}

function runThread(
  task: WorkerTask,
  failures: FailedSeed[],
  sum: Record<"worlds" | "steps" | "calls", number>,
): Promise<void> {
  const { board, thread } = task;
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: task });
    let seen = -1;
    let seenAt = performance.now();
    const watch = setInterval(() => {
      const seed = Atomics.load(board, boardThreads + thread);
      if (seed !== seen) {
        seen = seed;
        seenAt = performance.now();
      } else if (performance.now() - seenAt > stuckMs && seed >= 0) {
        failures.push({ seed, invariant: "error", message: "the world goes round for ever in one step", step: 0 });
        Atomics.add(board, boardFailures, 1);
        void worker.terminate();
      }
    }, watchMs);
    worker.on("message", (news: WorkerNews) => {
      if (news.is === "failed") failures.push(news);
      else {
        sum.worlds += news.worlds;
        sum.steps += news.steps;
        sum.calls += news.calls;
      }
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      clearInterval(watch);
      resolve();
    });
  });
}
