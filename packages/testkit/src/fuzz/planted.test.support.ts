// A program for the fuzzer's own test: a decoder with a fault behind four bytes, each of which must be right for the next to
// be looked at. Prints what was found with coverage and without.
import { startCoverage } from "./coverage.js";
import { fuzz } from "./fuzzer.js";
import { minimise } from "./minimise.js";
import type { FuzzTarget } from "./target.js";

function decode(input: Uint8Array): number {
  if (input[0] !== 0x67) return 0;
  if (input[1] !== 0x77) return 1;
  if (input[2] !== 0xd3) return 2;
  if (input[3] === 0x91) throw new RangeError("the fault");
  return 3;
}

const target: FuzzTarget = {
  name: "planted",
  checks: "nothing",
  seeds: [new Uint8Array(6)],
  maxBytes: 16,
  run: (input) => void decode(input),
};

const options = { seed: 1, ms: 40_000, runs: 300_000, corpus: [] };
const coverage = startCoverage((url) => url.endsWith("/planted.test.support.ts"));
const guided = await fuzz(target, { ...options, coverage });
coverage.close();
const blind = await fuzz(target, options);
const smallest =
  guided.finding === undefined ? undefined : await minimise(target, guided.finding.input, guided.finding.error);
console.log(
  JSON.stringify({
    guided: guided.finding?.error.message ?? "",
    blind: blind.finding?.error.message ?? "",
    smallest: smallest === undefined ? "" : Buffer.from(smallest).toString("hex"),
  }),
);
