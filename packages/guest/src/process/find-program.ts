// Looks for a program as execvp does, so that a missing one is an error before anything runs. Runs nothing.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

// What the C library searches where PATH is not set.
const defaultPath = "/bin:/usr/bin";

/** Why a program cannot be run. */
export type ProgramProblem = "not found" | "not executable";

/**
 * Checks that a program can be run.
 *
 * @param name As in argv[0]: with a "/" a path relative to `cwd`, otherwise a name to search in `path`.
 * @returns `undefined` when it can.
 */
export function programProblem(name: string, cwd: string, path: string = defaultPath): ProgramProblem | undefined {
  if (name === "") return "not found";
  let problem: ProgramProblem = "not found";
  const candidates = name.includes("/") ? [name] : path.split(delimiter).map((folder) => `${folder || "."}/${name}`);
  for (const candidate of candidates) {
    const found = check(resolve(cwd, candidate));
    if (found === undefined) return undefined;
    if (found === "not executable") problem = found;
  }
  return problem;
}

function check(path: string): ProgramProblem | undefined {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
  } catch {
    // As in a shell, a folder of PATH that may not be looked into does not count.
    return "not found";
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return "not executable";
  }
  return isFile ? undefined : "not executable";
}
