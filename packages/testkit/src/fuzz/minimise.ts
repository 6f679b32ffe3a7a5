// Makes inputs small: a failing one by leaving out what is not needed for its failure, a corpus by leaving out inputs.
import type { Coverage } from "./coverage.js";
import { failureOf } from "./fuzzer.js";
import type { FuzzTarget } from "./target.js";

// A guard against inputs that fail slowly.
const mostRuns = 5000;

/** The shortest input found that fails with the same kind of error. */
export async function minimise(target: FuzzTarget, input: Uint8Array, error: Error): Promise<Uint8Array> {
  let best = input;
  let runs = 0;
  const fails = async (candidate: Uint8Array): Promise<boolean> => {
    runs++;
    return (await failureOf(target, candidate))?.name === error.name;
  };
  for (let size = Math.max(1, best.length >> 1); size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && runs < mostRuns; ) {
      const candidate = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  // Zeros say that a byte does not matter.
  for (let at = 0; at < best.length && runs < mostRuns; at++) {
    if (best[at] === 0) continue;
    const candidate = best.slice();
    candidate[at] = 0;
    if (await fails(candidate)) best = candidate;
  }
  return best;
}

/** The inputs, short ones first, each of which reaches something that those before it do not. */
export async function distil(
  target: FuzzTarget,
  inputs: readonly Uint8Array[],
  coverage: Coverage,
): Promise<Uint8Array[]> {
  const kept: Uint8Array[] = [];
  // What loading and the seeds reach is known anyway.
  for (const seed of target.seeds) await target.run(seed);
  coverage.fresh();
  for (const input of [...inputs].sort((a, b) => a.length - b.length)) {
    await target.run(input);
    if (coverage.fresh().length > 0) kept.push(input);
  }
  return kept;
}
