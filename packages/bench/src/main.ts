// `pnpm bench`: runs what the command line asks for, prints the tables, and stores what is to be kept.
import { constants, existsSync } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { cpus, release } from "node:os";
import { dirname } from "node:path";
import { compare, ratiosOf, readBaseline, writeBaseline } from "./baseline.js";
import { writeCharts } from "./charts.js";
import { measureCold } from "./cold/measure.js";
import { leftOutNotes } from "./left-out.js";
import { type CommandLine, readCommandLine, usage } from "./options.js";
import { createPlacer } from "./placement.js";
import { type Machine, machineOf, mergeRows, type ResultRow, readRows, resultsOf, writeRows } from "./results.js";
import { rowsOf } from "./rows.js";
import { runBench } from "./run.js";
import { programOf } from "./stacks/index.js";
import { summary } from "./summary.js";

interface Measured {
  readonly rows: readonly ResultRow[];
  readonly machine: Machine;
  /** What the reader of the figures has to know. */
  readonly notes: readonly string[];
  /** What could not be measured, and why. */
  readonly failures: readonly string[];
}

async function main(): Promise<number> {
  const options = readCommandLine(process.argv.slice(2));
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  await prepareFolders(options);
  const measured = options.from === undefined ? await measure(options) : await stored(options.from);
  console.log(summary(resultsOf(measured.rows), measured.machine));
  for (const note of measured.notes) console.log(`Note: ${note}.`);
  await store(options, measured);
  const worse = await checkBaseline(options, measured);
  for (const failure of measured.failures) console.error(`failed: ${failure}`);
  return measured.failures.length > 0 || (options.strict && worse) ? 1 : 0;
}

/** Before anything is measured: half an hour would be lost for a folder that cannot be written to. */
async function prepareFolders({ json, charts }: CommandLine): Promise<void> {
  for (const folder of [json === undefined ? undefined : dirname(json), charts]) {
    if (folder === undefined) continue;
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  }
}

async function measure(options: CommandLine): Promise<Measured> {
  const placer = createPlacer();
  const { programs, missing } = await programsFor(options.stacks);
  const stacks = options.stacks.filter((name) => !missing.includes(name));
  const outcomes = await runBench({ ...options, stacks, programs }, placer, (bench, done, all) => {
    console.error(`${done + 1}/${all}  ${bench.name}`);
  });
  const failures = outcomes.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
  const rows: ResultRow[] = rowsOf(outcomes);
  const notes = [...placer.notes, ...leftOutNotes(options.cases, stacks)];
  if (options.cold) {
    try {
      const cold = await measureCold({ ...options, stacks, programs }, placer, (what) => console.error(what));
      rows.push(...cold.rows);
      notes.push(...cold.notes);
      failures.push(...cold.failures);
    } catch (error) {
      // What took minutes to measure before is not thrown away for it.
      failures.push(`cold start: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { rows, machine: thisMachine(), notes, failures };
}

async function stored(file: string): Promise<Measured> {
  const rows = await readRows(file);
  const machine = machineOf(rows) ?? { node: "unknown", machine: "an unknown machine" };
  return { rows, machine, notes: [`all figures are those of ${file}`], failures: [] };
}

async function store({ json, merge, charts }: CommandLine, { rows, machine }: Measured): Promise<void> {
  const all = json !== undefined && merge ? mergeRows(await olderRows(json), rows) : rows;
  if (json !== undefined) await writeRows(json, all, machine);
  if (charts === undefined) return;
  for (const path of await writeCharts(charts, all, machine)) console.log(`drawn: ${path}`);
}

/** Tells what got worse. @returns Whether something did. */
async function checkBaseline(options: CommandLine, { rows, machine }: Measured): Promise<boolean> {
  const now = ratiosOf(resultsOf(rows), machine);
  if (options.writeBaseline) {
    await writeBaseline(options.baseline, now);
    console.log(`The ratios of ${Object.keys(now).length} cases are the baseline now: ${options.baseline}`);
    return false;
  }
  const { compared, worse, notes } = compare(now, await readBaseline(options.baseline));
  for (const note of notes) console.log(`Note: ${note}.`);
  console.log(`Baseline: ${compared} ratios compared, ${worse.length} of them more than 15 % worse.`);
  for (const line of worse) console.warn(`warning: ${line}`);
  return worse.length > 0;
}

/** The rows of a file that may not be there yet. */
async function olderRows(file: string): Promise<ResultRow[]> {
  return existsSync(file) ? readRows(file) : [];
}

/** Builds what is no program of Node. What cannot be built is left out; the reason was printed. */
async function programsFor(
  stacks: readonly string[],
): Promise<{ readonly programs: ReadonlyMap<string, string>; readonly missing: readonly string[] }> {
  const programs = new Map<string, string>();
  const missing: string[] = [];
  for (const stack of stacks) {
    const folder = programOf(stack);
    if (folder === undefined) continue;
    // With its many parts only for who wants to be compared with Go.
    const { goProgram } = await import("@guestwire/testkit");
    const path = await goProgram(folder);
    if (path === undefined) missing.push(stack);
    else programs.set(stack, path);
  }
  return { programs, missing };
}

function thisMachine(): Machine {
  const processors = cpus();
  // A VM's own suffix to the kernel's version says nothing to a reader.
  const kernel = release().replace(/^(\d+\.\d+).*/, "$1");
  return {
    node: process.version,
    machine: `${process.platform} ${kernel}, ${processors.length} × ${processors[0]?.model ?? "CPU"}`,
  };
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 2;
});
