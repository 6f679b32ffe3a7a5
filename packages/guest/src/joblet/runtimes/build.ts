// BuildRuntime and ValidateRuntimeYAML: a specification's text to findings or to a runtime. Failures are answers.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  BuildRuntimeProgressSchema,
  BuildRuntimeRequest,
  ValidateRuntimeYAMLResponseSchema,
} from "@guestwire/joblet";
import { invalid, textOf } from "../../errors.js";
import { checkHost } from "./host-check.js";
import { type InstallTools, install } from "./install.js";
import { type RuntimeSpec, readRuntimeYaml } from "./runtime-yaml.js";

type Progress = MessageInitShape<typeof BuildRuntimeProgressSchema>;
type Result = Extract<Progress["progressType"], { case: "result" }>["value"];

/**
 * Builds a runtime; the last item is the result.
 *
 * @throws {RpcError} Code.InvalidArgument for an empty text; the signal's reason, when it fires.
 */
export async function* buildRuntime(
  request: BuildRuntimeRequest,
  tools: InstallTools,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  const { yamlContent: yaml, dryRun, verbose, forceRebuild: replace } = request;
  if (yaml.trim() === "") throw invalid("yaml_content", "must not be empty");
  const { clock } = tools.home;
  const started = performance.now();
  const log = (level: string, message: string): Progress => {
    const timestamp = BigInt(Math.trunc(clock.now())) * 1_000_000n;
    return { progressType: { case: "log", value: { level, message, timestamp } } };
  };
  const { spec, errors, warnings } = readRuntimeYaml(yaml);
  const result = (success: boolean, message: string, more: Result = {}): Progress => {
    const names = { runtimeName: spec?.name ?? "", runtimeVersion: spec?.version ?? "" };
    const buildDurationMs = BigInt(Math.round(performance.now() - started));
    return { progressType: { case: "result", value: { success, message, ...names, buildDurationMs, ...more } } };
  };
  for (const warning of warnings) yield log("warn", warning);
  if (spec === undefined || errors.length > 0) {
    for (const error of errors) yield log("error", error);
    yield result(false, `the specification is not valid: ${errors.join("; ")}`);
    return;
  }
  const steps = install({ spec, yaml, files: [], replace, dryRun }, tools, signal);
  try {
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      const { value } = step;
      if (value.kind === "log") {
        if (verbose || value.level !== "debug") yield log(value.level, value.message);
        continue;
      }
      const { number: phaseNumber, total: totalPhases, name: phaseName, message } = value;
      yield { progressType: { case: "phase", value: { phaseNumber, totalPhases, phaseName, message } } };
    }
    const record = step.value;
    if (record === undefined) yield result(true, "it can be built; nothing was installed, as it was a dry run");
    else {
      const installPath = tools.store.folderOf(spec.name);
      yield result(true, "it was built and installed", { installPath, sizeBytes: BigInt(record.sizeBytes) });
    }
  } catch (error) {
    signal.throwIfAborted();
    yield result(false, textOf(error));
  } finally {
    await steps.return(undefined);
  }
}

/** Checks as {@link buildRuntime} would. @throws the signal's reason, when it fires. */
export async function validateRuntimeYaml(
  yaml: string,
  { store, runner }: InstallTools,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof ValidateRuntimeYAMLResponseSchema>> {
  const read = readRuntimeYaml(yaml);
  const { spec } = read;
  const [errors, warnings] = [[...read.errors], [...read.warnings]];
  if (spec !== undefined && errors.length === 0) {
    errors.push(...(await checkHost(spec, runner, signal)).problems);
    const old = store.get(spec.name);
    if (old !== undefined) {
      warnings.push(`name: version ${old.spec.version} is installed; only force_rebuild replaces it`);
    }
  }
  const message =
    errors.length === 0 ? "the specification can be built" : `the specification has ${errors.length} errors`;
  return { valid: errors.length === 0, message, errors, warnings, ...(spec && { specInfo: specMessage(spec) }) };
}

function specMessage(spec: RuntimeSpec) {
  return {
    name: spec.name,
    version: spec.version,
    language: spec.language,
    languageVersion: spec.languageVersion,
    description: spec.description,
    pipPackages: [...spec.pip],
    npmPackages: [...spec.npm],
    hasHooks: spec.hooks.length > 0,
    requiresGpu: spec.gpu,
  };
}
