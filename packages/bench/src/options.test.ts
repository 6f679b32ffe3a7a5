import { expect, test } from "vitest";
import { benchCases } from "./cases.js";
import { readCommandLine } from "./options.js";

test("without options all is measured at length", () => {
  expect(readCommandLine([])).toMatchObject({ cases: benchCases, rounds: 5, windowMs: 1000, warmUpMs: 1200 });
});

test("--quick is shorter, and its parts can be set", () => {
  expect(readCommandLine(["--quick"])).toMatchObject({ rounds: 3, windowMs: 240, warmUpMs: 600 });
  expect(readCommandLine(["--quick", "--rounds", "2", "--window", "50"])).toMatchObject({ rounds: 2, windowMs: 50 });
});

test("stacks stay in their own order", () => {
  expect(readCommandLine(["--stacks", "guestwire-ttrpc,raw"])?.stacks).toEqual(["raw", "guestwire-ttrpc"]);
});

test("--help asks for nothing else", () => {
  expect(readCommandLine(["--help"])).toBeUndefined();
});

test.each([
  [["--rounds", "0"], '--rounds must be a whole number from 1 on, not "0"'],
  [["--window", "1.5"], '--window must be a whole number from 1 on, not "1.5"'],
  [["--stacks", "raw,soap"], 'no stack is called "soap"'],
  [["--cases", "nothing"], 'no case is called "nothing"'],
  [["--merge"], "--merge needs --json FILE to say into what"],
  [["--from", "rows.json", "--quick"], "--from measures nothing, so --quick has no meaning beside it"],
])("%j is refused by name", (args, message) => {
  expect(() => readCommandLine(args)).toThrow(message);
});

test("cold start belongs to a run of everything, and --cold alone measures nothing else", () => {
  expect(readCommandLine([])).toMatchObject({ cold: true, coldStarts: 15 });
  expect(readCommandLine(["--quick"])).toMatchObject({ cold: false });
  expect(readCommandLine(["--cases", "unary-64B-1-same"])).toMatchObject({ cold: false });
  expect(readCommandLine(["--cold", "--rounds", "3"])).toMatchObject({ cold: true, cases: [], coldStarts: 3 });
  expect(readCommandLine(["--cold", "--stacks", "raw"])).toMatchObject({ cold: true, cases: [], stacks: ["raw"] });
  expect(readCommandLine(["--cold", "--quick"])?.cases.length).toBeGreaterThan(5);
});

test("stored rows can be shown instead", () => {
  expect(readCommandLine(["--from", "rows.json", "--charts", "docs", "--strict"])).toMatchObject({
    from: "rows.json",
    charts: "docs",
    strict: true,
  });
});
