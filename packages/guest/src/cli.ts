// guestwire-guest: a guest as a program. Reads the command line, serves, and ends in order on SIGTERM and SIGINT.
import { serve } from "@guestwire/ttrpc";
import { helpText, readCommandLine } from "./cli-options.js";
import { defaultAddress } from "./default-address.js";
import { textOf } from "./errors.js";
import { createGuest } from "./guest.js";
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
    const { listen, stateDir, manageHardware } = options;
    await runGuest(listen, { manageHardware, ...(stateDir !== undefined && { stateDir }) });
    return 0;
  } catch (error) {
    process.stderr.write(`guestwire-guest: ${textOf(error)}\n`);
    return 1;
  }
}

async function runGuest(listen: readonly string[], options: Parameters<typeof createGuest>[0]): Promise<void> {
  await using server = serve();
  const addresses = listen.length > 0 ? listen : [defaultAddress()];
  await using guest = await createGuest(options);
  guest.register(server);
  // Nobody has to read what is printed.
  process.stdout.on("error", () => {});
  // Whoever signals twice has no patience left for a grace.
  let signals = 0;
  const stop = (): void => void guest.close(signals++ === 0 ? {} : { graceMs: 0 });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
  whenStarterGone(stop);
  for (const address of addresses) process.stdout.write(`listening on ${await server.listen(address)}\n`);
  await guest.ended;
}
