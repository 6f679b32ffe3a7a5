// Serves RuntimeService on the guest's runtimes.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RuntimeServiceHandler, TestRuntimeResponse } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { failure, quoted, textOf, unsupported } from "../../errors.js";
import { buildRuntime, validateRuntimeYaml } from "./build.js";
import type { InstallTools } from "./install.js";
import { installLocal, streamInstallLocal } from "./install-local.js";
import { fits, type Language, languages } from "./languages.js";
import { readRuntimeName } from "./runtime-name.js";
import { type RuntimeRecord, runtimeFiles, runtimeMessage } from "./runtime-record.js";

/**
 * Makes the handlers.
 *
 * @param closing Fires when the guest shuts down.
 */
export function createRuntimeService(tools: InstallTools, closing: AbortSignal): RuntimeServiceHandler {
  const { store } = tools;
  const either = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, closing]);
  const message = (record: RuntimeRecord) => runtimeMessage(record, store.isAvailable(record));
  return {
    listRuntimes: () => ({ runtimes: store.all.map(message) }),
    async getRuntimeInfo({ runtime }) {
      const [record] = store.matching(runtime);
      if (record === undefined) return { found: false };
      const yaml = join(store.folderOf(record.spec.name), runtimeFiles.yaml);
      // Runtimes from files may have none.
      const originalYaml = await readFile(yaml, "utf8").catch(() => "");
      return { found: true, runtime: { ...message(record), originalYaml } };
    },
    async testRuntime({ runtime }, { signal }) {
      const [record] = store.matching(runtime);
      if (record === undefined) return failed(`there is no runtime ${quoted(runtime)}`);
      return tryOut(record, tools, either(signal));
    },
    async removeRuntime({ runtime }) {
      const [record, ...others] = store.matching(runtime);
      if (record === undefined) return { success: false, message: `there is no runtime ${quoted(runtime)}` };
      if (others.length > 0) {
        const names = [record, ...others].map(({ spec }) => spec.name).join(", ");
        return { success: false, message: `${quoted(runtime)} means several runtimes: ${names}` };
      }
      const name = quoted(record.spec.name);
      try {
        const freed = await store.remove(record);
        return { success: true, message: `the runtime ${name} was removed`, freedSpaceBytes: BigInt(freed) };
      } catch (error) {
        return { success: false, message: `the runtime ${name} could not be removed: ${textOf(error)}` };
      }
    },
    buildRuntime: (request, { signal }) => buildRuntime(request, tools, either(signal)),
    validateRuntimeYAML: ({ yamlContent }, { signal }) => validateRuntimeYaml(yamlContent, tools, either(signal)),
    installRuntimeFromLocal: (request, { signal }) => installLocal(request, tools, either(signal)),
    streamingInstallRuntimeFromLocal: (request, { signal }) => streamInstallLocal(request, tools, either(signal)),
    installRuntimeFromGithub: () => {
      throw noRepository();
    },
    streamingInstallRuntimeFromGithub: () => {
      throw noRepository();
    },
    validateRuntimeSpec({ runtimeSpec }) {
      const read = readRuntimeName(runtimeSpec);
      if (typeof read === "string") return { valid: false, message: `${quoted(runtimeSpec)} ${read}` };
      const { name, language, version, variants, architecture } = read;
      const told = language === "" ? "it is a name that tells no language" : `it means ${language} ${version}`;
      const specInfo = { language, version, variants: [...variants], architecture };
      return { valid: true, message: told, normalizedSpec: name, specInfo };
    },
  };
}

type TestResult = Pick<TestRuntimeResponse, "success" | "output" | "error" | "exitCode">;

async function tryOut(
  record: RuntimeRecord,
  { store, runner }: InstallTools,
  signal: AbortSignal,
): Promise<TestResult> {
  const { spec, program } = record;
  const { versionArgs, version } = languages[spec.language] as Language;
  const { environment, programs } = store.forJobs(record);
  const path = join(store.folderOf(spec.name), program);
  const result = await runner.run({ path, args: versionArgs, folders: programs, environment }, signal);
  const { code: exitCode, output, problem } = result;
  if (problem !== "") return { ...failed(problem), output, exitCode };
  const [, found = ""] = version.exec(output) ?? [];
  if (fits(found, spec.languageVersion)) return { success: true, output, error: "", exitCode };
  return { ...failed(`it is ${spec.language} ${found} now, not ${spec.languageVersion}`), output, exitCode };
}

function failed(error: string): TestResult {
  return { success: false, output: "", error, exitCode: -1 };
}

function noRepository(): Error {
  return unsupported("this guest reaches no repository: send the files, or build from a specification");
}

/** Why everything ends when the guest shuts down. */
export function shuttingDown(): Error {
  return failure(Code.Unavailable, "the guest shuts down");
}
