// The public face of @guestwire/bench: named exports only.
export { type BenchCase, benchCases, type Placement } from "./cases.js";
export type { ResultRow, Row } from "./results.js";
export { type BenchOptions, type Outcome, runBench } from "./run.js";
export { median, percentile } from "./statistics.js";
