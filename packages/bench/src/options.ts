// The command line of the benchmark.
import { parseArgs } from "node:util";
import { benchCases, chooseCases } from "./cases.js";
import type { BenchOptions } from "./run.js";
import { stackNames } from "./stacks/index.js";

/** What was asked for. */
export interface CommandLine extends Omit<BenchOptions, "programs"> {
  /** Where to write the rows; `undefined` for nowhere. */
  readonly json: string | undefined;
}

/** The text for `--help`. */
export const usage: string = `Measures Guestwire beside its peers: client and server as two processes, stacks in turns.

  pnpm bench [--quick] [--json FILE] [--cases NAME,…] [--stacks NAME,…] [--rounds N] [--window MS]
             [--profile FOLDER]

  --quick       few cases, three short rounds: under two minutes
  --json FILE   writes the rows to a file
  --cases       which cases; * stands for anything: --cases 'unary-64B-*'
  --stacks      which stacks
  --rounds      how often each is measured (default 5, quick 3)
  --window      how long one measurement takes, in milliseconds (default 1000, quick 300)
  --profile     writes a CPU profile of each process, for the browser's developer tools; costs speed

cases:  ${benchCases.map(({ name }) => name).join("\n        ")}
stacks: ${stackNames.join(", ")}`;

/**
 * Reads the command line.
 *
 * @returns `undefined` when only help is wanted.
 * @throws {Error} naming what is wrong.
 */
export function readCommandLine(args: readonly string[]): CommandLine | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      cases: { type: "string" },
      stacks: { type: "string" },
      rounds: { type: "string" },
      window: { type: "string" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const stacks = list(values.stacks);
  const cases = list(values.cases);
  const unknown = stacks.find((name) => !stackNames.includes(name));
  if (unknown !== undefined) throw new Error(`no stack is called "${unknown}"; there are: ${stackNames.join(", ")}`);
  const windowMs = number("window", values.window, values.quick ? 300 : 1000);
  return {
    cases: cases.length > 0 ? chooseCases(cases) : benchCases.filter((bench) => bench.quick || !values.quick),
    stacks: stacks.length === 0 ? stackNames : stackNames.filter((name) => stacks.includes(name)),
    rounds: number("rounds", values.rounds, values.quick ? 3 : 5),
    windowMs,
    // Short windows are for trying the benchmark out, where nobody minds code that is not compiled yet.
    warmUpMs: values.window === undefined ? (values.quick ? 600 : 1200) : Math.min(1200, 2 * windowMs),
    profileFolder: values.profile,
    json: values.json,
  };
}

function list(text: string | undefined): string[] {
  return (text ?? "").split(",").filter((part) => part !== "");
}

function number(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${name} must be a whole number from 1 on, not "${text}"`);
  return Number(text);
}
