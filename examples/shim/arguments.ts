// What containerd gives a shim on its command line: flags with one dash, as Go's programs take them, and a command at the end.

/** The arguments. */
export interface ShimArguments {
  /** What to do. None: the command is containerd's way to ask for a server, which ours never does. */
  readonly command: string;
  /** containerd's namespace. */
  readonly namespace: string;
  /** The container's id. */
  readonly id: string;
  /** containerd's own socket. */
  readonly address: string;
  /** The bundle's folder; the working directory unless it is given. */
  readonly bundle: string;
}

/**
 * Reads a command line.
 *
 * @throws {Error} when namespace or id are missing.
 */
export function readArguments(args: readonly string[]): ShimArguments {
  const given = new Map<string, string>();
  let command = "";
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--?([a-z-]+)(?:=(.*))?$/.exec(args[i] as string) ?? [];
    if (name === undefined) command = args[i] as string;
    else given.set(name, value ?? (name === "debug" ? "true" : (args[++i] ?? "")));
  }
  const needed = (name: string): string => {
    const value = given.get(name);
    if (value === undefined || value === "") throw new Error(`-${name} is missing; containerd starts this program`);
    return value;
  };
  return {
    command,
    namespace: needed("namespace"),
    id: needed("id"),
    address: given.get("address") ?? "",
    bundle: given.get("bundle") ?? process.cwd(),
  };
}
