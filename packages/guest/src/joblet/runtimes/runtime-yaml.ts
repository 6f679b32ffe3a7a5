// Reads a runtime.yaml: what it says and everything that is wrong with it. Looks at no host.
import { parseDocument } from "yaml";
import { quoted, textOf } from "../../errors.js";
import { scopeVariable } from "../../process/scope.js";
import { mostRuntimeEntries, runtimeYamlBytes } from "../limits.js";
import { languageNames } from "./languages.js";
import { nameProblem } from "./runtime-name.js";
import { Findings, type YamlMap } from "./yaml-findings.js";

/** What a specification says. */
export interface RuntimeSpec {
  readonly name: string;
  /** X.Y.Z. */
  readonly version: string;
  readonly language: string;
  /** Empty for any. */
  readonly languageVersion: string;
  readonly description: string;
  readonly pip: readonly string[];
  readonly npm: readonly string[];
  /** Patterns. */
  readonly libraries: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** As Go names them; empty for any. */
  readonly architectures: readonly string[];
  readonly gpu: boolean;
  /** Names of the hooks that are there. */
  readonly hooks: readonly string[];
}

/** A specification as far as it could be read, and what was found. */
export interface ReadYaml {
  /** With empty values where something is wrong; `undefined` where it is no mapping at all. */
  readonly spec: RuntimeSpec | undefined;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

const keys = [
  "schema_version",
  "name",
  "version",
  "language",
  "language_version",
  "description",
  "pip",
  "npm",
  "libraries",
  "environment",
  "requirements",
  "hooks",
];
const hookNames = ["pre_install", "post_install"];
const longestDescription = 4096;

/** Reads one. Every finding begins with the path of what it is about. */
export function readRuntimeYaml(text: string): ReadYaml {
  const content = parse(text);
  if (typeof content === "string") return { spec: undefined, errors: [`yaml_content: ${content}`], warnings: [] };
  const findings = new Findings(mostRuntimeEntries);
  findings.unknownKeys(content, keys);
  for (const key of ["name", "version", "language"]) if (!content.has(key)) findings.error(key, "is missing");
  const requirements = findings.map(content, "requirements");
  findings.unknownKeys(requirements, ["architectures", "gpu"], "requirements.");
  const gpu = findings.text(requirements, "gpu", gpuProblem, "requirements.");
  const spec: RuntimeSpec = {
    name: findings.text(content, "name", nameProblem),
    version: findings.text(content, "version", (version) =>
      /^\d+\.\d+\.\d+$/.test(version) ? undefined : `${quoted(version)} is no version X.Y.Z`,
    ),
    language: findings.text(content, "language", (language) =>
      languageNames.includes(language) ? undefined : `${quoted(language)} is none of ${languageNames.join(", ")}`,
    ),
    languageVersion: findings.text(content, "language_version", (version) =>
      /^\d+(\.\d+){0,2}$/.test(version) ? undefined : `${quoted(version)} is no version such as 3.11`,
    ),
    description: findings.text(content, "description", (description) =>
      description.length > longestDescription ? `is longer than ${longestDescription} characters` : undefined,
    ),
    pip: findings.list(content, "pip"),
    npm: findings.list(content, "npm"),
    libraries: findings.list(content, "libraries"),
    environment: readEnvironment(content, findings),
    architectures: findings.list(requirements, "architectures", "requirements."),
    gpu: gpu === "true",
    hooks: readHooks(content, findings),
  };
  return { spec, errors: findings.errors, warnings: findings.warnings };
}

/** @returns What is wrong, where it is no mapping. */
function parse(text: string): YamlMap | string {
  if (text.trim() === "") return "must not be empty";
  if (Buffer.byteLength(text) > runtimeYamlBytes) return `is longer than ${runtimeYamlBytes} bytes`;
  try {
    // As texts: versions such as 3.10 are no numbers.
    const document = parseDocument(text, { schema: "failsafe", logLevel: "error" });
    const [problem] = document.errors;
    if (problem !== undefined) return problem.message.split("\n", 1)[0] as string;
    const content: unknown = document.toJS({ mapAsMap: true });
    return content instanceof Map ? content : "must be a mapping";
  } catch (error) {
    // Aliases of nothing, or such that would unfold to very much.
    return textOf(error);
  }
}

function readEnvironment(content: YamlMap, findings: Findings): Record<string, string> {
  const entries: [string, string][] = [];
  const map = findings.map(content, "environment");
  for (const [name, value] of map) {
    const path = typeof name === "string" ? `environment.${name}` : "environment";
    if (typeof name !== "string" || name === "" || /[=\0]/.test(name)) findings.error(path, "is no name of a variable");
    else if (name === scopeVariable) findings.error(path, "is the guest's own");
    else if (name === "PATH") findings.error(path, "is made of the runtime's programs and the host's");
    else if (typeof value !== "string" || value.includes("\0")) findings.error(path, "must be a text");
    else entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

function readHooks(content: YamlMap, findings: Findings): string[] {
  const hooks = findings.map(content, "hooks");
  findings.unknownKeys(hooks, hookNames, "hooks.");
  return hookNames.filter((name) => {
    const value = hooks.get(name);
    if (value === undefined) return false;
    if (Array.isArray(value)) return findings.list(hooks, name, "hooks.").length > 0;
    return findings.text(hooks, name, () => undefined, "hooks.") !== "";
  });
}

function gpuProblem(text: string): string | undefined {
  return ["true", "false"].includes(text) ? undefined : `${quoted(text)} is neither true nor false`;
}
