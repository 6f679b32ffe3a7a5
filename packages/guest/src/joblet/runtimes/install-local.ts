// The installation of runtimes from files in the request, as clients of old Joblets ask for it, in one answer or as a stream.
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FileUploadSchema,
  type InstallRuntimeFromLocalRequest,
  type InstallRuntimeResponseSchema,
  type RuntimeInstallationChunkSchema,
} from "@guestwire/joblet";
import { Code, RpcError } from "@guestwire/rpc";
import { failure, invalid, quoted, textOf } from "../../errors.js";
import { checkUploads } from "../jobs/uploads.js";
import { mostRuntimeFiles, runtimeFilesBytes } from "../limits.js";
import { type InstallPlan, type InstallTools, install } from "./install.js";
import { type Language, languages } from "./languages.js";
import { readRuntimeName } from "./runtime-name.js";
import type { RuntimeRecord } from "./runtime-record.js";
import { type RuntimeSpec, readRuntimeYaml } from "./runtime-yaml.js";

type Chunk = MessageInitShape<typeof RuntimeInstallationChunkSchema>;

/**
 * Installs a runtime and starts a job that runs it once: its output is the runtime's own.
 *
 * @throws {RpcError} telling why it was not installed; the signal's reason, when it fires.
 */
export async function installLocal(
  request: InstallRuntimeFromLocalRequest,
  tools: InstallTools,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof InstallRuntimeResponseSchema>> {
  const plan = readPlan(request);
  const steps = install(plan, tools, signal);
  let step = await steps.next();
  while (!step.done) step = await steps.next();
  const { name } = plan.spec;
  const buildJobUuid = await startTrial(step.value as RuntimeRecord, tools);
  const message = `the runtime ${quoted(name)} is installed; the job runs it once`;
  return { buildJobUuid, runtimeSpec: name, status: "RUNNING", message };
}

/**
 * Installs a runtime; the last item is the result.
 *
 * @throws {RpcError} Code.InvalidArgument for a name or files that are none; the signal's reason, when it fires.
 */
export async function* streamInstallLocal(
  request: InstallRuntimeFromLocalRequest,
  tools: InstallTools,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  const plan = readPlan(request);
  const runtimeSpec = plan.spec.name;
  const steps = install(plan, tools, signal);
  try {
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      const { value } = step;
      if (value.kind === "log") yield log(`${value.level}: ${value.message}\n`);
      else {
        const { number, total: totalSteps, name, message } = value;
        yield { chunkType: { case: "progress", value: { message: `${name}: ${message}`, step: number, totalSteps } } };
      }
    }
    const installPath = tools.store.folderOf(runtimeSpec);
    const message = "it was installed";
    yield { chunkType: { case: "result", value: { success: true, message, runtimeSpec, installPath } } };
  } catch (error) {
    signal.throwIfAborted();
    yield { chunkType: { case: "result", value: { success: false, message: textOf(error), runtimeSpec } } };
  } finally {
    await steps.return(undefined);
  }
}

/** A `runtime.yaml` among the files says what the runtime is; without one its name does. */
function readPlan({ runtimeSpec, files, forceReinstall }: InstallRuntimeFromLocalRequest): InstallPlan {
  const named = readRuntimeName(runtimeSpec);
  if (typeof named === "string") throw invalid("runtime_spec", `${quoted(runtimeSpec)} ${named}`);
  if (files.length === 0) throw invalid("files", "must not be empty");
  if (files.length > mostRuntimeFiles) throw invalid("files", `has more than ${mostRuntimeFiles} entries`);
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
  if (bytes > runtimeFilesBytes) throw invalid("files", `has ${bytes} bytes; at most ${runtimeFilesBytes} are taken`);
  const uploads = files.map(({ path, content, executable }) =>
    create(FileUploadSchema, { path: tidy(path), content, mode: executable ? 0o755 : 0o644 }),
  );
  checkUploads("files", uploads);
  const at = uploads.findIndex(({ path }) => path === "runtime.yaml");
  const plan = { files: uploads, replace: forceReinstall, dryRun: false };
  if (at < 0) return { ...plan, yaml: "", spec: specOf(runtimeSpec, named) };
  const yaml = new TextDecoder().decode(uploads[at]?.content);
  const { spec, errors } = readRuntimeYaml(yaml);
  const field = `files[${at}].content`;
  if (spec === undefined || errors.length > 0) throw invalid(field, errors.join("; "));
  if (spec.name !== named.name) {
    throw invalid(field, `name: ${quoted(spec.name)} is not ${quoted(named.name)}, as runtime_spec says`);
  }
  return { ...plan, yaml, spec };
}

function specOf(
  text: string,
  { name, language, version, architecture }: Exclude<ReturnType<typeof readRuntimeName>, string>,
): RuntimeSpec {
  if (language === "") {
    const why = 'tells no language and version, as "python-3.11" does, and there is no runtime.yaml among the files';
    throw invalid("runtime_spec", `${quoted(text)} ${why}`);
  }
  return {
    name,
    version: "1.0.0",
    language,
    languageVersion: version.split(".").slice(0, 3).join("."),
    description: "",
    pip: [],
    npm: [],
    libraries: [],
    environment: {},
    architectures: architecture === "" ? [] : [architecture],
    gpu: false,
    hooks: [],
  };
}

async function startTrial({ spec, program, folders }: RuntimeRecord, { home, store }: InstallTools): Promise<string> {
  const folder = store.folderOf(spec.name);
  const { versionArgs } = languages[spec.language] as Language;
  const variables = Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`);
  // The shell puts the runtime's programs in front of those that the job has.
  const script = 'PATH="$0:$PATH" exec "$@"';
  const searched = folders.map((each) => join(folder, each)).join(":");
  const args = [...variables, "sh", "-c", script, searched, join(folder, program), ...versionArgs];
  try {
    return await home.jobs.start({ command: "env", args, name: `try runtime ${spec.name}` });
  } catch (error) {
    const { code, rawMessage } = RpcError.from(error, Code.Internal);
    const text = `the runtime ${quoted(spec.name)} is installed, but the job that runs it once was not started`;
    throw failure(code, `${text}: ${rawMessage}`, error);
  }
}

/** "./bin//x" is "bin/x". What is no path at all stays as it is, for the check. */
function tidy(path: string): string {
  if (path.startsWith("/")) return path;
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

function log(text: string): Chunk {
  return { chunkType: { case: "log", value: { data: Buffer.from(text) } } };
}
