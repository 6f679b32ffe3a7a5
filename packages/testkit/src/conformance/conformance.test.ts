// The Connect conformance suite against @guestwire/grpc: connectconformance starts our programs from the built packages, as
// client and as server, and knows itself what every case must give.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { goTool } from "../go-tools.js";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const knownFailing = readFileSync(here("known-failing.txt"), "utf8");
const runner = await goTool("connectconformance");

if (runner !== undefined) {
  describe("the Connect conformance suite passes", () => {
    test.each([
      ["client", 646],
      ["server", 570],
    ] as const)("as %s", async (mode, cases) => {
      const program = here(`../../dist/conformance/${mode}.js`);
      expect(existsSync(program), `${program} is built`).toBe(true);
      const options = [
        "--mode",
        mode,
        "--conf",
        here("config.yaml"),
        "--known-failing",
        `@${here("known-failing.txt")}`,
      ];
      const { code, output } = await run(runner, [...options, "--", process.execPath, program]);
      const [, total, passed, failed] = /Total cases: (\d+)\n(\d+) passed, (\d+) failed/.exec(output) ?? [];
      console.log(`connectconformance, ${mode}: ${passed} of ${total} cases passed, ${failed} failed`);
      // The runner also fails where a known failure passes.
      expect(code, output).toBe(0);
      // A suite that ran less than it should passes too.
      expect(Number(total)).toBe(cases);
      expect(output).not.toContain("could not be run");
    });
  });
}

test("at most four failures are known, each with its reason above it", () => {
  const lines = knownFailing.split("\n");
  const patterns = lines.filter((line) => line !== "" && !line.startsWith("#"));
  expect(patterns.length).toBeLessThanOrEqual(4);
  for (const pattern of patterns) expect(lines[lines.indexOf(pattern) - 1]).toMatch(/^# \S/);
});

function run(program: string, args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 64 << 20, timeout: 300_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}\n${stderr}` });
    });
  });
}
