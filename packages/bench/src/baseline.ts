// Ratios that were good once, kept in a file; a run says which of its own are clearly worse. Ratios, for they hardly
// depend on the machine. Decides nothing but what "clearly worse" means.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { callCases } from "./report.js";
import { type Machine, type Results, rounded } from "./results.js";

/** The stored ratios by case and by name, with where they were measured. All are of a kind where more is better. */
export type Baseline = Readonly<Record<string, Machine & { readonly ratios: Readonly<Record<string, number>> }>>;

/** The file that is part of the repository. */
export const baselineFile: string = fileURLToPath(new URL("../baseline.json", import.meta.url));

/** A ratio may be this much worse before it is worth a word: between two quiet runs it changes by up to a tenth. */
export const tolerated = 0.15;

/** What came of a comparison. */
export interface Comparison {
  /** How many ratios both have. */
  readonly compared: number;
  /** One line for each ratio that is worse. */
  readonly worse: readonly string[];
  /** What the reader has to know: another version of Node. */
  readonly notes: readonly string[];
}

const pairs = [
  ["guestwire-ttrpc", "raw"],
  ["guestwire-ttrpc", "grpcjs-protobufjs"],
  ["guestwire-ttrpc", "go-ttrpc"],
  ["guestwire-ttrpc+release", "raw"],
  ["guestwire-grpc", "grpcjs-protobufjs"],
] as const;

// Where there are no rounds, and less is better: by the beginning of the cases' names.
const figures = [
  ["cold-start-", "cpuMillis", "CPU"],
  ["idle-", "clientIdleHeapBytes", "client's heap"],
  ["idle-", "serverIdleHeapBytes", "server's heap"],
] as const;

/** The ratios of a run, each of a kind where more is better. */
export function ratiosOf(results: Results, machine: Machine): Baseline {
  const calls = callCases(results);
  const entries = [...new Set(results.rows.map((row) => row.case))].map((name) => {
    const ratios = calls.includes(name) ? callRatios(results, name) : figureRatios(results, name);
    const known = ratios.flatMap(([what, ratio]) => (Number.isFinite(ratio) ? [[what, rounded(ratio)]] : []));
    return [name, { node: machine.node, machine: machine.machine, ratios: Object.fromEntries(known) }] as const;
  });
  return Object.fromEntries(entries.filter(([, { ratios }]) => Object.keys(ratios).length > 0));
}

function callRatios(results: Results, name: string): [string, number][] {
  return pairs.flatMap(([ours, theirs]): [string, number][] => {
    const cpu: [string, number] = [`CPU of ${theirs} : ${ours}`, results.ratio(name, "cpuMicros", theirs, ours)];
    // On one core, calls per second say the same as CPU.
    if (name.endsWith("-same")) return [cpu];
    return [[`calls/s of ${ours} : ${theirs}`, results.ratio(name, "perSecond", ours, theirs)], cpu];
  });
}

function figureRatios(results: Results, name: string): [string, number][] {
  return figures.flatMap(([begin, figure, what]) => {
    if (!name.startsWith(begin)) return [];
    return pairs.map(([ours, theirs]): [string, number] => [
      `${what} of ${theirs} : ${ours}`,
      results.figure(name, theirs, figure) / results.figure(name, ours, figure),
    ]);
  });
}

/** Compares the ratios of a run with older ones. */
export function compare(now: Baseline, before: Baseline): Comparison {
  let compared = 0;
  const worse: string[] = [];
  const nodes = new Set<string>();
  for (const [name, { node, ratios }] of Object.entries(now)) {
    const old = before[name];
    if (old === undefined) continue;
    if (old.node !== node) nodes.add(`the baseline was measured with Node ${old.node}, this run with ${node}`);
    for (const [what, ratio] of Object.entries(ratios)) {
      const was = old.ratios[what];
      if (was === undefined) continue;
      compared++;
      const loss = 1 - ratio / was;
      if (loss > tolerated) worse.push(`${name}: ${what} is ${ratio}, was ${was}: ${(loss * 100).toFixed(0)} % worse`);
    }
  }
  return { compared, worse, notes: [...nodes] };
}

/** Reads a baseline. @returns An empty one where there is no file. @throws {Error} naming the file when it holds no JSON. */
export async function readBaseline(file: string): Promise<Baseline> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Baseline;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new Error(`${file} is no baseline: ${(error as Error).message}`);
  }
}

/** Writes the ratios of a run into a file; of cases that the run did not measure, older ones stay. */
export async function writeBaseline(file: string, now: Baseline): Promise<void> {
  const all = { ...(await readBaseline(file)), ...now };
  await writeFile(file, `${JSON.stringify(all, undefined, 2)}\n`);
}
