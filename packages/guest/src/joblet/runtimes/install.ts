// Installs a runtime step by step: checked, made in a folder aside, tried out, put in place. Whoever runs the steps tells
// clients of them. Whatever ends it early, nothing is left of it.
import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { FileUpload } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { failure } from "../../errors.js";
import { removeTree } from "../../files/remove-tree.js";
import { measure } from "../../files/usage.js";
import { programProblem } from "../../process/find-program.js";
import { writeWhole } from "../../state/state-folder.js";
import { version } from "../../version.js";
import { writeUploads } from "../jobs/uploads.js";
import { goArchitecture } from "../monitoring/host.js";
import type { JobletHome } from "../seams.js";
import { askVersion, checkHost, type FoundProgram, unsupportedBy } from "./host-check.js";
import { fits, type Language, languages } from "./languages.js";
import type { ProgramRunner } from "./run-program.js";
import { type RuntimeRecord, runtimeFiles } from "./runtime-record.js";
import type { RuntimeStore } from "./runtime-store.js";
import type { RuntimeSpec } from "./runtime-yaml.js";

/** What installations work with. */
export interface InstallTools {
  readonly home: JobletHome;
  readonly store: RuntimeStore;
  readonly runner: ProgramRunner;
}

/** What is to be installed. */
export interface InstallPlan {
  readonly spec: RuntimeSpec;
  /** The specification's text; empty where there is none. */
  readonly yaml: string;
  /** Checked. */
  readonly files: readonly FileUpload[];
  readonly replace: boolean;
  /** Only to look whether it could be. */
  readonly dryRun: boolean;
}

/** What happens during an installation. */
export type InstallStep =
  | {
      readonly kind: "phase";
      readonly number: number;
      readonly total: number;
      readonly name: string;
      readonly message: string;
    }
  | { readonly kind: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly message: string };

/** What was installed; `undefined` after a dry run. */
export type Installed = RuntimeRecord | undefined;

/**
 * Installs a runtime.
 *
 * @throws {RpcError} telling why it was not installed; the signal's reason, when it fires.
 */
export async function* install(
  plan: InstallPlan,
  { home, store, runner }: InstallTools,
  signal: AbortSignal,
): AsyncGenerator<InstallStep, Installed> {
  const { spec, files, replace, dryRun } = plan;
  const total = dryRun ? 1 : 4;
  const phase = (number: number, name: string, message: string): InstallStep => ({
    kind: "phase",
    number,
    total,
    name,
    message,
  });
  const free = store.claim(spec.name);
  let draft: string | undefined;
  try {
    yield phase(1, "check the host", `looking for ${spec.language} ${spec.languageVersion}`.trimEnd());
    store.checkRoom(spec.name, replace);
    const own = ownProgram(spec, files);
    const { problems, program } = own === undefined ? await checkHost(spec, runner, signal) : ofFiles(spec);
    for (const message of problems) yield { kind: "log", level: "error", message };
    if (problems.length > 0) throw failure(Code.FailedPrecondition, problems.join("; "));
    if (program !== undefined) yield info(`${program.path} is ${spec.language} ${program.version}`);
    if (dryRun) return undefined;

    yield phase(2, "make the folder", `${files.length} files`);
    draft = await mkdtemp(join(home.scratch, "runtime-"));
    const { folders, links } = await fill(draft, plan, program);
    for (const link of links) yield { kind: "log", level: "debug", message: link };

    yield phase(3, "try it out", `running ${spec.language} as a job would`);
    const main = own ?? join(runtimeFiles.programs, basename((program as FoundProgram).path));
    const inDraft = folders.map((folder) => join(draft as string, folder));
    const tried = await askVersion(spec, join(draft, main), inDraft, runner, signal);
    if (typeof tried === "string") throw failure(Code.FailedPrecondition, tried.replaceAll(`${draft}/`, ""));
    if (!fits(tried.version, spec.languageVersion)) {
      const text = `language_version: ${main} is ${tried.version}, not ${spec.languageVersion}`;
      throw failure(Code.FailedPrecondition, text);
    }
    yield info(`it runs: ${spec.language} ${tried.version}`);

    yield phase(4, "install", store.folderOf(spec.name));
    const record: RuntimeRecord = {
      spec: { ...spec, languageVersion: spec.languageVersion || tried.version },
      program: main,
      folders,
      sizeBytes: (await measure(draft, undefined)).bytes,
      builtAt: home.clock.now(),
      builtWith: `guestwire-guest v${version}`,
      platform: `${process.platform}/${goArchitecture()}`,
    };
    await writeWhole(join(draft, runtimeFiles.record), JSON.stringify(record));
    signal.throwIfAborted();
    await store.place(draft, record, replace);
    return record;
  } finally {
    if (draft !== undefined) await removeTree(draft);
    free();
  }
}

/** The language's program among the files; `undefined` where the host's is to be used. */
function ownProgram({ language, languageVersion }: RuntimeSpec, files: readonly FileUpload[]): string | undefined {
  const names = (languages[language] as Language).programs(languageVersion);
  const name = names.find((each) => files.some(({ path, mode }) => path === `bin/${each}` && (mode & 0o100) !== 0));
  return name === undefined ? undefined : join(runtimeFiles.uploads, "bin", name);
}

/** What the files bring need not be there on the host. */
function ofFiles(spec: RuntimeSpec): { problems: string[]; program: FoundProgram | undefined } {
  return { problems: unsupportedBy(spec), program: undefined };
}

async function fill(
  draft: string,
  { spec, yaml, files }: InstallPlan,
  program: FoundProgram | undefined,
): Promise<{ folders: string[]; links: string[] }> {
  if (yaml !== "") await writeFile(join(draft, runtimeFiles.yaml), yaml, { mode: 0o600 });
  if (files.length > 0) {
    const uploads = join(draft, runtimeFiles.uploads);
    await mkdir(uploads, { mode: 0o755 });
    await writeUploads(uploads, files);
  }
  const programs = join(draft, runtimeFiles.programs);
  await mkdir(programs, { mode: 0o755 });
  const links: string[] = [];
  if (program !== undefined) {
    const { aliases, companions } = languages[spec.language] as Language;
    const [folder, name] = [dirname(program.path), basename(program.path)];
    // The host's own paths, not what they lead to: wrappers go by the name they are called by.
    const targets = new Map([name, ...companions].map((each) => [each, join(folder, each)]));
    for (const alias of aliases) if (!targets.has(alias)) targets.set(alias, name);
    for (const [each, target] of targets) {
      if (programProblem(target, folder) !== undefined && target !== name) continue;
      await symlink(target, join(programs, each));
      links.push(`${each} -> ${target}`);
    }
  }
  const folders: string[] = [runtimeFiles.programs];
  if (files.some(({ path }) => path.startsWith("bin/"))) folders.unshift(join(runtimeFiles.uploads, "bin"));
  return { folders, links };
}

function info(message: string): InstallStep {
  return { kind: "log", level: "info", message };
}
