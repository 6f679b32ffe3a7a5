// The command line of a program of this package: its options, its --help, and what it says of a wrong one. Only for programs:
// it ends the process.
import { type ParseArgsConfig, parseArgs } from "node:util";

/** What a program makes of its command line: the options, or what it says before it ends. */
export type CommandLine<T extends ParseArgsConfig> =
  | { readonly options: ReturnType<typeof parseArgs<T>> }
  | { readonly says: string; readonly status: 0 | 2 };

/** Reads a command line; ends nothing. `--help` and `-h` are understood beside the options of `config`. */
export function readCommandLine<T extends ParseArgsConfig>(
  usage: string,
  config: T,
  args: readonly string[],
): CommandLine<T> {
  const help = { type: "boolean", short: "h" } as const;
  try {
    const options = parseArgs({ ...config, args: [...args], strict: true, options: { ...config.options, help } });
    if ("help" in options.values) return { says: usage, status: 0 };
    return { options: options as ReturnType<typeof parseArgs<T>> };
  } catch (error) {
    // Some of Node's texts go on with advice, which is about another command line.
    return { says: `${(error as Error).message.split(/\n|\. To specify/)[0]}`, status: 2 };
  }
}

/**
 * The options of this program. Ends it with status 0 after `--help`, and with 2 and one line when an option is wrong.
 *
 * @param args Default: the arguments of the process without `--`, which `pnpm sim -- --seeds 5` hands on too.
 */
export function programOptions<T extends ParseArgsConfig>(
  usage: string,
  config: T,
  args: readonly string[] = process.argv.slice(2).filter((argument) => argument !== "--"),
): ReturnType<typeof parseArgs<T>> {
  const line = readCommandLine(usage, config, args);
  if ("options" in line) return line.options;
  if (line.status !== 0) refuse(line.says);
  console.log(line.says);
  process.exit(0);
}

/** Ends the program because of a wrong option: one line, which names it, and status 2. */
export function refuse(line: string): never {
  console.error(line);
  process.exit(2);
}

/** The whole number that an option gives; ends the program when it is none, or less than `least` (default 0). */
export function wholeNumber(name: string, text: string, least = 0): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
  return refuse(`${name} must be a whole number from ${least} on, not "${text}"`);
}
