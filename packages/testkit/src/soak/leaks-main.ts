// The leak programs as a command: `npx -y pnpm@12 leaks --scale 0.01` runs a hundredth of the counts. Prints a table and a verdict.
import { parseArgs } from "node:util";
import { type LeakProgram, type LeakResult, leakPrograms, runLeakProgram, timeOnOneSignal } from "./leaks.js";
import { collectComplaints } from "./programs.js";

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: { scale: { type: "string", default: "1" }, only: { type: "string", default: "" } },
});
const scale = Number(values.scale);
if (!(scale > 0)) throw new Error(`--scale must be a number above 0, not ${values.scale}`);

const complaints = collectComplaints();
const problems: string[] = [];
console.log(
  "what                              times      s  us each  last/2nd tenth  heap MB before  after  growth  fds",
);
// What Node opens once, for good, belongs to none of them.
await runLeakProgram(leakPrograms[0] as LeakProgram, 200);
for (const program of leakPrograms.filter(({ name }) => name.includes(values.only))) {
  const result = await runLeakProgram(program, Math.max(200, Math.round(program.count * scale)));
  console.log(row(result));
  problems.push(...result.problems.map((text) => `${result.name}: ${text}`));
}
if (values.only === "") {
  const times = await timeOnOneSignal([100, 1000, 10_000, 50_000]);
  console.log(
    `\ncalls at once on one signal: ${times.map(({ calls, us }) => `${calls}: ${us.toFixed(1)} us each`).join(", ")}`,
  );
}
problems.push(...complaints);
for (const problem of problems) console.log(`WRONG ${problem}`);
console.log(problems.length === 0 ? "nothing leaks" : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

function row({ name, count, ms, before, after, growthBytes, slower }: LeakResult): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
  const cells: [string, number][] = [
    [String(count), 9],
    [(ms / 1000).toFixed(1), 7],
    [((ms * 1000) / count).toFixed(1), 9],
    [slower.toFixed(2), 16],
    [megabytes(before.heapBytes), 16],
    [megabytes(after.heapBytes), 7],
    [megabytes(growthBytes), 8],
    [`${before.fds}/${after.fds}`, 7],
  ];
  return name.padEnd(30) + cells.map(([text, width]) => text.padStart(width)).join("");
}
