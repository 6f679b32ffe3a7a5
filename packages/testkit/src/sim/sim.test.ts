// The simulator in small: some hundred worlds, the same worlds twice, and whether a broken promise is seen and made small.
import { describe, expect, test } from "vitest";
import { openChannel } from "../../../ttrpc/src/channel.js";
import { TtrpcServer } from "../../../ttrpc/src/server.js";
import { makePlan } from "./plan.js";
import type { Product } from "./product.js";
import { regressionSeeds, regressionWorlds } from "./regression-seeds.js";
import { failureText, headline } from "./report.js";
import { runPlan, runSeed } from "./run.js";
import { shrink } from "./shrink.js";

const product: Product = { openChannel, TtrpcServer };

describe("simulated worlds", () => {
  test("keep all promises", async () => {
    const broken: string[] = [];
    let calls = 0;
    for (let seed = 0; seed < 300; seed++) {
      const result = await runSeed(product, seed);
      calls += result.calls;
      if (result.violation !== undefined) broken.push(headline(result));
    }
    expect(broken).toEqual([]);
    expect(calls).toBeGreaterThan(3000);
  });

  test.each(regressionSeeds)("keep them with seed $seed ($found)", async ({ seed }) => {
    const result = await runSeed(product, seed);
    expect(result.violation === undefined ? "" : headline(result)).toBe("");
  });

  test.each(regressionWorlds)("keep them where once was found: $found", async ({ plan }) => {
    const result = await runPlan(product, plan);
    expect(result.violation === undefined ? "" : headline(result)).toBe("");
    expect(result.calls).toBeGreaterThan(0);
  });

  test("are the same for the same seed", async () => {
    const hashes = new Set<string>();
    for (let seed = 1000; seed < 1150; seed++) {
      const first = await runSeed(product, seed);
      const second = await runSeed(product, seed, true);
      expect([second.hash, second.steps, second.events]).toEqual([first.hash, first.steps, first.events]);
      expect(second.lines).toHaveLength(second.events);
      hashes.add(first.hash);
    }
    expect(hashes.size).toBe(150);
  });
});

describe("a broken promise", () => {
  // The ids of each connection begin two further on than the world is told.
  const broken: Product = {
    TtrpcServer,
    openChannel: (dialer, options, clock, firstId = 1, random = undefined) =>
      openChannel(dialer, options, clock, firstId + 2, random),
  };

  async function firstFailure(): Promise<Awaited<ReturnType<typeof runSeed>>> {
    for (let seed = 0; seed < 50; seed++) {
      const result = await runSeed(broken, seed);
      if (result.violation?.invariant === "I7") return result;
    }
    throw new Error("no world saw it");
  }

  test("is seen, and again with the same seed", async () => {
    const failure = await firstFailure();
    expect(headline(failure)).toMatch(/^SEED=\d+ step=\d+ I7: connection \d+: a request has id/);
    const again = await runSeed(broken, failure.seed, true);
    expect(headline(again)).toBe(headline(failure));
    expect(again.hash).toBe(failure.hash);
  });

  test("is made as small as can be, with what led to it", async () => {
    const failure = await firstFailure();
    const small = await shrink(broken, makePlan(failure.seed), "I7");
    expect(small.plan.operations).toHaveLength(1);
    expect(small.plan.operations[0]?.do).toBe("call");
    expect((await runPlan(broken, small.plan)).violation?.invariant).toBe("I7");
    const text = failureText(failure, small);
    expect(text).toContain(`replay: SEED=${failure.seed} npx -y pnpm@12 sim\n`);
    // Without the bug, the same world keeps its promises.
    const planted = failureText(failure, small, "ids-skip");
    expect(planted).toContain(`replay: SEED=${failure.seed} npx -y pnpm@12 sim --bug ids-skip\n`);
    expect(text).toContain("client wrote");
  });
});
