// The command line of the benchmark.
import { parseArgs } from "node:util";
import { baselineFile } from "./baseline.js";
import { benchCases, chooseCases } from "./cases.js";
import type { BenchOptions } from "./run.js";
import { stackNames } from "./stacks/index.js";

/** What was asked for. */
export interface CommandLine extends Omit<BenchOptions, "programs"> {
  /** A file of rows to show instead of measuring; `undefined` to measure. */
  readonly from: string | undefined;
  /** Where to write the rows; `undefined` for nowhere. */
  readonly json: string | undefined;
  /** Whether rows that the file has already stay there, except those that were measured again. */
  readonly merge: boolean;
  /** Where to write the charts; `undefined` for nowhere. */
  readonly charts: string | undefined;
  /** Whether cold start and install size are measured. */
  readonly cold: boolean;
  /** How often each program is started for the cold start. */
  readonly coldStarts: number;
  /** The file of ratios that a run is compared with. */
  readonly baseline: string;
  /** Whether to write that file instead. */
  readonly writeBaseline: boolean;
  /** Whether a ratio that is worse makes the exit code 1. */
  readonly strict: boolean;
}

/** The text for `--help`. */
export const usage: string = `Measures Guestwire beside its peers: client and server as two processes, stacks in turns.

  pnpm bench [--quick] [--cold] [--cases NAME,…] [--stacks NAME,…] [--rounds N] [--window MS]
             [--json FILE [--merge]] [--charts FOLDER] [--from FILE]
             [--baseline FILE] [--write-baseline] [--strict] [--profile FOLDER]

what is measured (everything, unless one of these is given):
  --quick           few cases, three short rounds: under two minutes
  --cold            cold start and install size of the packed packages; needs npm's registry the first time
  --cases NAME,…    these cases; * stands for anything: --cases 'unary-64B-*'
  --stacks NAME,…   these stacks
  --rounds N        how often each is measured (default 5, quick 3; cold start 15)
  --window MS       how long one measurement takes, in milliseconds (default 1000, quick 240)
  --from FILE       nothing: the rows of this file are shown

what becomes of it:
  --json FILE       writes the rows to a file
  --merge           keeps the rows of that file that were not measured again
  --charts FOLDER   draws charts
  --baseline FILE   the ratios to compare with (default packages/bench/baseline.json)
  --write-baseline  stores this run's ratios there
  --strict          exit code 1 when a ratio is more than 15 % worse than there
  --profile FOLDER  writes a CPU profile of each process, for the browser's developer tools; costs speed

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
      cold: { type: "boolean", default: false },
      from: { type: "string" },
      json: { type: "string" },
      merge: { type: "boolean", default: false },
      charts: { type: "string" },
      baseline: { type: "string", default: baselineFile },
      "write-baseline": { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
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
  if (values.merge && values.json === undefined) throw new Error("--merge needs --json FILE to say into what");
  if (values.from !== undefined) {
    const other = (["quick", "cold", "cases", "stacks", "rounds", "window", "profile"] as const).find(
      (name) => values[name],
    );
    if (other !== undefined) throw new Error(`--from measures nothing, so --${other} has no meaning beside it`);
  }
  const windowMs = number("window", values.window, values.quick ? 240 : 1000);
  return {
    cases:
      cases.length > 0 ? chooseCases(cases) : benchCases.filter((bench) => (values.quick ? bench.quick : !values.cold)),
    cold: values.cold || !(values.quick || cases.length > 0 || stacks.length > 0),
    coldStarts: number("rounds", values.rounds, 15),
    stacks: stacks.length === 0 ? stackNames : stackNames.filter((name) => stacks.includes(name)),
    rounds: number("rounds", values.rounds, values.quick ? 3 : 5),
    windowMs,
    // Short windows are for trying the benchmark out, where nobody minds code that is not compiled yet.
    warmUpMs: values.window === undefined ? (values.quick ? 600 : 1200) : Math.min(1200, 2 * windowMs),
    profileFolder: values.profile,
    from: values.from,
    json: values.json,
    merge: values.merge,
    charts: values.charts,
    baseline: values.baseline,
    writeBaseline: values["write-baseline"],
    strict: values.strict,
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
