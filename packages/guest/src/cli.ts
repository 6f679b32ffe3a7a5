// guestwire-guest: a guest as a program. Reads the command line, serves, and ends in order on SIGTERM and SIGINT.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CliOptions, helpText, readCommandLine } from "./cli-options.js";
import { textOf } from "./errors.js";
import { createGuest, type Guest } from "./guest.js";
import { openServers } from "./servers.js";
import { whenStarterGone } from "./starter.js";
import { version } from "./version.js";

/**
 * Runs the program to its end.
 *
 * @param args The command line without program and script.
 * @returns The exit code: 0, or 1 when it could not begin; the reason was printed.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readCommandLine(args);
    if (options.help || options.version) {
      process.stdout.write(options.help ? helpText : `${version}\n`);
      return 0;
    }
    await runGuest(options);
    return 0;
  } catch (error) {
    process.stderr.write(`guestwire-guest: ${textOf(error)}\n`);
    return 1;
  }
}

async function runGuest(options: CliOptions): Promise<void> {
  const { stateDir, manageHardware, imageLayouts } = options;
  for (const layout of imageLayouts) {
    // A wrong path would be found with the first pull only.
    if (!existsSync(join(layout, "oci-layout"))) throw new Error(`--image-layout ${layout} is no OCI image layout`);
  }
  // Heard from the beginning: opening starts what was left waiting. Whoever signals twice has no patience left for a grace.
  let signals = 0;
  let opened: Guest | undefined;
  const stop = (): void => {
    signals++;
    void opened?.close(signals === 1 ? {} : { graceMs: 0 });
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
  await using servers = await openServers(options);
  await using guest = await createGuest({ manageHardware, imageLayouts, ...(stateDir !== undefined && { stateDir }) });
  servers.serve(guest);
  // Nobody has to read what is printed.
  process.stdout.on("error", () => {});
  opened = guest;
  if (signals > 0) stop();
  whenStarterGone(stop);
  for await (const line of servers.listen()) process.stdout.write(`listening on ${line}\n`);
  await guest.ended;
}
