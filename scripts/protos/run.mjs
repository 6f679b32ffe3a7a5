// Runs other programs for the protos commands, with the repository's own tools first in PATH. Decides nothing itself.
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of this repository: where the tools are, whatever tree the commands work on. */
export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** A fault to show to the user as it is, without a stack. */
export class Failure extends Error {}

/** The environment with the repository's tools, and these folders before them. */
export function environment(...folders) {
  const path = [...folders, join(repository, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter);
  return { ...process.env, PATH: path };
}

/**
 * Runs a program to its end and gives its standard output.
 *
 * @param options `cwd` (default the repository), `env`, and `input`; `allowFailure` gives the whole result instead.
 * @throws {Failure} with what the program wrote, when it fails or does not exist.
 */
export function run(command, args, { allowFailure = false, ...options } = {}) {
  const result = spawnSync(command, args, {
    cwd: repository,
    env: environment(),
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    ...options,
  });
  if (result.error) throw new Failure(`${command} did not start: ${result.error.message}`);
  if (allowFailure) return result;
  if (result.status !== 0) {
    const output = [result.stdout, result.stderr].filter(Boolean).join("\n").trim();
    throw new Failure(
      `${command} ${args[0] ?? ""} failed (${result.signal ?? `exit code ${result.status}`})\n${output}`,
    );
  }
  return result.stdout;
}

/** Whether a program is there to be run. */
export function exists(command, args = ["--version"]) {
  return spawnSync(command, args, { env: environment(), stdio: "ignore" }).error === undefined;
}

/** Runs buf in the repository, whose plugins and binaries it needs. */
export function buf(args, options) {
  return run("buf", args, options);
}
