// The corpus, run again, and some changes of it: what fuzzing has found once is looked at each time. And the fuzzer itself.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readCorpus } from "./corpus.js";
import { failureOf } from "./fuzzer.js";
import { mutate } from "./mutate.js";
import { createRandom } from "./random.js";
import { fuzzTargets } from "./targets.js";

describe("each target", () => {
  test.each(fuzzTargets.map((target) => [target.name, target] as const))("%s", async (name, target) => {
    const files = readCorpus(name);
    for (const { name: file, input } of files) {
      const error = await failureOf(target, input);
      expect(error, `corpus/${name}/${file}`).toBeUndefined();
    }
    const inputs = [...target.seeds, ...files.map(({ input }) => input)];
    for (const [i, seed] of target.seeds.entries()) expect(await failureOf(target, seed), `seed ${i}`).toBeUndefined();
    const random = createRandom(Number(process.env["PROPERTY_SEED"] ?? 1));
    for (let times = 0; times < 500; times++) {
      const input = mutate(inputs, random, target.maxBytes ?? 512, target.dictionary);
      expect(await failureOf(target, input), Buffer.from(input).toString("hex")).toBeUndefined();
    }
  });
});

test("coverage leads to a fault that blind changes do not find, and it is made small", async () => {
  const support = fileURLToPath(new URL("../../../ttrpc/test/support/run-source.mjs", import.meta.url));
  const program = fileURLToPath(new URL("planted.test.support.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", support, program]);
  expect(JSON.parse(stdout)).toEqual({ guided: "the fault", blind: "", smallest: "6777d391" });
});
