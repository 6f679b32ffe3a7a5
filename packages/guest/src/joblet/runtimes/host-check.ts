// Whether this host can give what a specification asks for, and with which of its programs. Changes nothing.
import { delimiter, isAbsolute, join } from "node:path";
import { programProblem } from "../../process/find-program.js";
import { goArchitecture } from "../monitoring/host.js";
import { fits, type Language, languages } from "./languages.js";
import { hostPath, type ProgramRunner } from "./run-program.js";
import type { RuntimeSpec } from "./runtime-yaml.js";

/** A program of a language. */
export interface FoundProgram {
  /** Absolute path. */
  readonly path: string;
  readonly version: string;
}

/** What the host gives. */
export interface HostCheck {
  /** What it cannot do, each with the path in the specification. */
  readonly problems: readonly string[];
  /** `undefined` where there is none that fits. */
  readonly program: FoundProgram | undefined;
}

/** Checks a specification without errors. @throws the signal's reason, when it fires. */
export async function checkHost(spec: RuntimeSpec, runner: ProgramRunner, signal: AbortSignal): Promise<HostCheck> {
  const problems = unsupportedBy(spec);
  const found = await findLanguage(spec, runner, signal);
  if (typeof found === "string") return { problems: [...problems, found], program: undefined };
  return { problems, program: found };
}

/** What this guest does for no runtime, or not on this host. */
export function unsupportedBy(spec: RuntimeSpec): string[] {
  const problems: string[] = [];
  const refuse = (path: string, things: readonly string[], what: string): void => {
    if (things.length > 0) problems.push(`${path}: ${what}: ${things.slice(0, 5).join(", ")}`);
  };
  refuse("pip", spec.pip, "this guest installs no packages");
  refuse("npm", spec.npm, "this guest installs no packages");
  refuse("libraries", spec.libraries, "this guest copies no libraries; programs use those of the host");
  refuse("hooks", spec.hooks, "this guest runs no hooks");
  if (spec.gpu) problems.push("requirements.gpu: this guest gives no GPUs to jobs");
  const own = goArchitecture();
  if (spec.architectures.length > 0 && !spec.architectures.includes(own)) {
    problems.push(`requirements.architectures: ${spec.architectures.join(", ")} is wanted, this host is ${own}`);
  }
  return problems;
}

/** Asks a program of a language for its version. @returns What is wrong with it. */
export async function askVersion(
  spec: Pick<RuntimeSpec, "language" | "environment">,
  path: string,
  folders: readonly string[],
  runner: ProgramRunner,
  signal: AbortSignal,
): Promise<FoundProgram | string> {
  const { versionArgs, version } = languages[spec.language] as Language;
  const { environment } = spec;
  const { problem, output } = await runner.run({ path, args: versionArgs, folders, environment }, signal);
  if (problem !== "") return problem;
  const [, found] = version.exec(output) ?? [];
  return found === undefined ? `${path} ${versionArgs.join(" ")} tells no version` : { path, version: found };
}

/** @returns A finding where there is none. */
async function findLanguage(
  spec: RuntimeSpec,
  runner: ProgramRunner,
  signal: AbortSignal,
): Promise<FoundProgram | string> {
  const { language, languageVersion } = spec;
  const names = (languages[language] as Language).programs(languageVersion);
  const others: string[] = [];
  for (const name of names) {
    const path = findInPath(name);
    if (path === undefined) continue;
    const found = await askVersion(spec, path, [], runner, signal);
    if (typeof found === "string") others.push(found);
    else if (fits(found.version, languageVersion)) return found;
    else others.push(`${path} is ${found.version}`);
  }
  const wanted = `${language} ${languageVersion}`.trim();
  if (others.length > 0) return `language_version: this host has no ${wanted} that works: ${others.join("; ")}`;
  return `language: this host has no ${wanted}: there is no program ${names.join(", ")}`;
}

function findInPath(name: string): string | undefined {
  for (const folder of hostPath().split(delimiter)) {
    const path = join(folder, name);
    // A relative one would mean another folder for every job.
    if (isAbsolute(folder) && programProblem(path, "/") === undefined) return path;
  }
  return undefined;
}
