// The soak as a program: `npx -y pnpm@12 soak --seconds 60 --seed N` prints a row for each ten seconds and a verdict.
import { parseArgs } from "node:util";
import { runSoak, type SoakRow } from "./soak.js";

const { values } = parseArgs({
  // `pnpm soak -- --seconds 5` hands on the dashes too.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    load: { type: "string", default: "0.5" },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : positive("--seed", values.seed);
const seconds = positive("--seconds", values.seconds);
console.log(`seed ${seed}`);
console.log("     s   calls      ok  deadline  canceled  failed  faults  cpu %  client MB  server MB  fds");
const began = performance.now();
const result = await runSoak({ seconds, seed, load: positive("--load", values.load), row });

console.log("\nroad             ok  deadline  canceled  failed");
for (const [name, { ok, deadline, canceled, failed }] of result.roads) {
  console.log(name.padEnd(10) + columns([ok, 9], [deadline, 10], [canceled, 10], [failed, 8]));
}
const faults = [...(result.rows.at(-1) as SoakRow).faults].sort(([a], [b]) => (a < b ? -1 : 1));
console.log(`\nfaults: ${faults.map(([name, times]) => `${times} ${name}`).join(", ")}`);
const growths = [result.clientGrowth, result.serverGrowth].map((bytes) => `${(bytes / 1e6).toFixed(2)} MB`);
console.log(`growth of the heaps: client ${growths[0]}, server ${growths[1]}`);
console.log(`${result.calls} calls in ${((performance.now() - began) / 1000).toFixed(0)} s`);
for (const problem of result.problems.slice(0, 30)) console.log(`WRONG ${problem}`);
console.log(result.problems.length === 0 ? "all is well" : `${result.problems.length} problems; --seed ${seed}`);
process.exitCode = result.problems.length === 0 ? 0 : 1;

function row({ seconds: at, counts, faults: done, cpuShare, client, server }: SoakRow): void {
  const { ok, deadline, canceled, failed } = counts;
  const times = [...done.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    columns([Math.round(at), 6], [ok + deadline + canceled + failed, 8], [ok, 8], [deadline, 10], [canceled, 10]) +
      columns([failed, 8], [times, 8], [Math.round(cpuShare * 100), 7]) +
      columns([megabytes(client.footprint.heapBytes), 11], [megabytes(server.footprint.heapBytes), 11]) +
      `  ${client.footprint.fds}/${server.footprint.fds}`,
  );
}

function columns(...cells: readonly (readonly [value: unknown, width: number])[]): string {
  return cells.map(([value, width]) => String(value).padStart(width)).join("");
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`${name} must be a number from 0 on, not ${text}`);
}
