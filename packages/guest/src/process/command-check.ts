// What can be said about a command before anything is known of the place where it is to run.
import { invalid, quoted } from "../errors.js";

/** @throws {RpcError} Code.InvalidArgument for a command without a program, or one that cannot be passed on. */
export function checkCmd(cmd: readonly string[]): void {
  if (cmd.length === 0 || cmd[0] === "") throw invalid("cmd", "must name a program");
  for (const [index, part] of cmd.entries()) if (part.includes("\0")) throw invalid(`cmd[${index}]`, "contains a NUL");
}

/** @throws {RpcError} Code.InvalidArgument for variables that cannot be set. */
export function checkEnv(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || /[=\0]/.test(name)) throw invalid("env", `${quoted(name)} is no name of a variable`);
    if (value.includes("\0")) throw invalid(`env[${quoted(name)}]`, "contains a NUL");
  }
}

/** @param path Empty for none. @throws {RpcError} Code.InvalidArgument for a path that is not absolute. */
export function checkWorkingDir(path: string): void {
  if (path !== "" && (!path.startsWith("/") || path.includes("\0"))) {
    throw invalid("working_dir", "must be an absolute path");
  }
}
