// How a job is run on this host: its program, its variables, its directory. Starts nothing.
import { userInfo } from "node:os";
import { delimiter } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure, quoted, textOf } from "../../errors.js";
import { makeFolder } from "../../files/make-folder.js";
import { programProblem } from "../../process/find-program.js";
import { pathWithin } from "../../process/path-within.js";
import type { ProcessSpec } from "../../process/process.js";
import type { RuntimeLookup } from "../seams.js";
import { coresPrefix } from "./cores.js";
import type { JobPaths } from "./job-folder.js";
import type { JobRecord } from "./job-record.js";

/**
 * Prepares a job's start; makes its directory where that is missing.
 *
 * @throws {RpcError} Code.Internal telling why it cannot start.
 */
export async function launchSpec(
  record: JobRecord,
  paths: JobPaths,
  secrets: Readonly<Record<string, string>>,
  runtimes: RuntimeLookup,
): Promise<ProcessSpec> {
  const runtime = record.runtime === "" ? undefined : runtimes.find(record.runtime);
  if (record.runtime !== "" && runtime === undefined) throw cannot(`the runtime ${quoted(record.runtime)} is gone`);
  const cwd = pathWithin(paths.files, record.workDir);
  try {
    await makeFolder(cwd, 0o777);
  } catch (error) {
    throw cannot(`work_dir ${quoted(record.workDir)}: ${textOf(error)}`, error);
  }
  const programs = [...(runtime?.programs ?? []), process.env["PATH"] || "/usr/local/bin:/usr/bin:/bin"];
  const env: Record<string, string> = {
    PATH: programs.join(delimiter),
    HOME: paths.files,
    USER: userInfo().username,
    ...runtime?.environment,
    ...record.environment,
    ...secrets,
    PWD: cwd,
  };
  const problem = programProblem(record.command, cwd, env["PATH"]);
  if (problem !== undefined) throw cannot(`command ${quoted(record.command)}: ${problem}`);
  return { args: [...coresPrefix(record.cpuCores), record.command, ...record.args], env, cwd, mergeOutput: true };
}

function cannot(why: string, cause?: unknown): Error {
  return failure(Code.Internal, `the job could not be started: ${why}`, cause);
}
