// What a container's process is on the host: its program found, its working directory made, its user looked up.
import { Code, RpcError } from "@guestwire/rpc";
import { failure, quoted, textOf } from "../../errors.js";
import { makeFolder } from "../../files/make-folder.js";
import { programProblem } from "../../process/find-program.js";
import { pathWithin } from "../../process/path-within.js";
import type { ProcessSpec } from "../../process/process.js";
import { containerUser } from "./user.js";

/** A process as its container's record or an exec says. */
export interface WantedProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: string;
}

/**
 * Prepares a process. Programs are the host's; where it has none of an absolute path, the container's own folder is looked
 * in.
 *
 * @param rootfs The folder that the working directory counts from.
 * @param fields How errors name the parts.
 * @throws {RpcError} Code.FailedPrecondition when the program is missing or the directory cannot be made;
 * Code.InvalidArgument for an unknown user; Code.PermissionDenied for one that the guest cannot become.
 */
export async function prepareProcess(
  wanted: WantedProcess,
  rootfs: string,
  subject: string,
  fields: { readonly user: string },
): Promise<ProcessSpec> {
  const runAs = await containerUser(wanted.user, fields.user);
  const cwd = pathWithin(rootfs, wanted.workingDir);
  try {
    await makeFolder(cwd, 0o755);
  } catch (error) {
    throw cannotRun(subject, `the working directory ${quoted(wanted.workingDir)}: ${textOf(error)}`, error);
  }
  const [program, ...rest] = wanted.args as [string, ...string[]];
  const env = { HOME: rootfs, ...wanted.env, PWD: cwd };
  const problem = programProblem(program, cwd, wanted.env["PATH"]);
  if (problem === undefined) return { args: wanted.args, env, cwd, runAs };
  const own = pathWithin(rootfs, program);
  if (program.startsWith("/") && programProblem(own, cwd) === undefined)
    return { args: [own, ...rest], env, cwd, runAs };
  throw cannotRun(subject, `${quoted(program)} is ${problem}`);
}

/** What an attempt to start a process failed with: an error that has a code already, or {@link cannotRun}. */
export function startError(subject: string, error: unknown): Error {
  return error instanceof RpcError ? error : cannotRun(subject, textOf(error), error);
}

/** `FailedPrecondition`: the container is in order, the host is not made for it. */
function cannotRun(subject: string, text: string, cause?: unknown): Error {
  return failure(Code.FailedPrecondition, `${subject} cannot be run: ${text}`, cause);
}
