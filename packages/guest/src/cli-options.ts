// The command line of guestwire-guest: what can be asked for, and how it is explained. Does nothing.
import { parseArgs } from "node:util";
import { addressForms } from "@guestwire/ttrpc";
import { textOf } from "./errors.js";

/** What the command line asks for. */
export interface CliOptions {
  /** Addresses to listen on; none means the default one. */
  readonly listen: readonly string[];
  readonly stateDir: string | undefined;
  readonly manageHardware: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** What `--help` prints. */
export const helpText: string = `Usage: guestwire-guest [options]

Serves a guest on this host over ttrpc: bundles, tasks and their standard streams, events, system facts, the ArcBox agent
and machines. Needs no root. Ends on SIGTERM and SIGINT with everything that it started.

Options:
  --listen ADDRESS    Listen there; may be given several times. Forms: ${addressForms}
                      Default: guestwire/guest.sock in $XDG_RUNTIME_DIR, or in a private folder of the temporary one.
  --state-dir DIR     Keep bundles and machines there. Default: $XDG_STATE_HOME/guestwire/guest, or the same in
                      ~/.local/state.
  --manage-hardware   Let clients take CPUs and memory of this host in and out of use. Needs root.
  --help              Print this text.
  --version           Print the version.

Prints "listening on ADDRESS" for every address once it accepts connections.
`;

/**
 * Reads the command line.
 *
 * @throws {Error} whose message says what is wrong with it.
 */
export function readCommandLine(args: readonly string[]): CliOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        listen: { type: "string", multiple: true, default: [] },
        "state-dir": { type: "string" },
        "manage-hardware": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        version: { type: "boolean", default: false },
      },
    });
    const { listen, help, version } = values;
    return { listen, help, version, stateDir: values["state-dir"], manageHardware: values["manage-hardware"] };
  } catch (error) {
    // Node's messages end with advice on positional arguments, of which there are none here.
    throw new Error(`${textOf(error).split(/\. To specify/)[0]}; see --help`);
  }
}
