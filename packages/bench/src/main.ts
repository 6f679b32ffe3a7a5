// `pnpm bench`: runs what the command line asks for and prints the tables.
import { writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { readCommandLine, usage } from "./options.js";
import { createPlacer, type Placer } from "./placement.js";
import { figuresTable, ratiosTable, rowsOf } from "./report.js";
import { type Outcome, runBench } from "./run.js";
import { programOf } from "./stacks/index.js";

async function main(): Promise<number> {
  const options = readCommandLine(process.argv.slice(2));
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  const placer = createPlacer();
  const { programs, missing } = await programsFor(options.stacks);
  const stacks = options.stacks.filter((name) => !missing.includes(name));
  const outcomes = await runBench({ ...options, stacks, programs }, placer, (bench, done, all) => {
    console.error(`${done + 1}/${all}  ${bench.name}`);
  });
  print(outcomes, placer, options.rounds);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rowsOf(outcomes), undefined, 2)}\n`);
  for (const { error } of outcomes) if (error !== undefined) console.error(`failed: ${error.message}`);
  return outcomes.some(({ error }) => error !== undefined) ? 1 : 0;
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

function print(outcomes: readonly Outcome[], placer: Placer, rounds: number): void {
  const processors = cpus();
  console.log(`
Node ${process.version}, ${process.platform} ${release()}, ${processors.length} × ${processors[0]?.model ?? "CPU"}

What was measured: medians of ${rounds} rounds. A call is a request and its response; in the server-stream cases a "call"
is one message. CPU is the time that the client's and the server's process used for it, in microseconds.

${figuresTable(outcomes)}

How Guestwire compares (medians of what was measured within one round, which is steadier than the figures above):

${ratiosTable(outcomes)}

"64B-64" is 64 bytes of payload and 64 calls in flight on one connection. "full" is with deadline, metadata, an async
handler and an interceptor on each side. "raw" is a bare echo of as many bytes on a Node socket, small messages batched.
"same" is both processes on one core: the cleanest CPU per call for one call in flight. "cross" is one core each, kept
awake by a process of the lowest priority: calls per second as with a guest of its own cores.
Figures of a busy or virtual machine vary by half, ratios by a tenth: compare ratios.`);
  for (const note of placer.notes) console.log(`Note: ${note}.`);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 2;
});
