// Runs tests in VMs: `npx -y pnpm@12 test:vm`. Ends with 0 when all checks passed, and when VMs cannot run here, which it says;
// with CI=true that is a failure.
import { programOptions, refuse } from "../program-options.js";
import { bootVm } from "./boot.js";
import { createChecks } from "./checks.js";
import { hybrid } from "./hybrid/hybrid.js";
import { loopback, loopbackModules } from "./loopback.js";
import { nested } from "./nested/nested.js";
import type { VmParts } from "./parts.js";
import { prerequisites } from "./prerequisites.js";

const usage = "usage: test:vm [setup | loopback [-- COMMAND...] | hybrid | nested | shell]";
const words = process.argv.slice(2);
// Dashes in front are pnpm's; those behind the name are the command's.
const args = words[0] === "--" ? words.slice(1) : words;
const [name = "all", ...command] = programOptions(usage, { allowPositionals: true }, args).positionals;
// The nested run takes its time, and runs only when it is asked for.
const tests = new Map([
  ["loopback", [loopback]],
  ["hybrid", [hybrid]],
  ["nested", [nested]],
  ["all", [hybrid, loopback]],
]);
if (!tests.has(name) && name !== "setup" && name !== "shell") refuse(`there is no "${name}"; ${usage}`);
if (command.length > 0 && name !== "loopback") refuse(`"${command[0]}" is one word too many; ${usage}`);
const ci = process.env["CI"] === "true";

// The folder of a run is removed when its VM has ended; the VM itself ends with this process in any case.
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.once(signal, () => process.exit(status));
}

/** Runs a command in the VM of the loopback test. */
async function runCommand(parts: VmParts, words: readonly string[], terminal: boolean): Promise<number> {
  await using vm = await bootVm(parts, {
    modules: loopbackModules,
    command: words,
    env: { GUESTWIRE_VM: "loopback", TERM: process.env["TERM"] ?? "dumb" },
    onLine: (line) => terminal || console.log(line),
    ...(terminal ? { terminal, limitMs: 2 ** 31 - 1 } : {}),
  });
  const { bootMs } = await vm.ready;
  console.error(`the VM was up after ${(bootMs / 1000).toFixed(1)} s`);
  return await vm.exitStatus;
}

async function main(): Promise<number> {
  const found = await prerequisites(ci || name === "setup");
  if ("reason" in found) {
    console.log(`${found.reason}\n\nskipped`);
    return ci ? 1 : 0;
  }
  const { parts } = found;
  if (name === "setup") {
    console.log("everything that a VM needs is here");
    return 0;
  }
  if (name === "shell") return runCommand(parts, ["sh", "-i"], true);
  if (name === "loopback" && command.length > 0) return runCommand(parts, command, false);
  const checks = createChecks();
  for (const program of tests.get(name) ?? []) {
    await program(checks, parts).catch((error: unknown) =>
      checks.check("it ran to its end", () => Promise.reject(error)),
    );
  }
  return checks.summary() ? 0 : 1;
}

process.exitCode = await main();
