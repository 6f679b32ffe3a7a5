// How clients name runtimes: by name, or by language and version with variants and an architecture. Knows no runtime.
import { languageOf } from "./languages.js";

/** A name that was read. */
export interface RuntimeName {
  /** In the form of this guest's names: `openjdk:21` is `openjdk-21`. */
  readonly name: string;
  /** As specifications have it; empty where the name tells none. */
  readonly language: string;
  /** Empty where the name tells none. */
  readonly version: string;
  readonly variants: readonly string[];
  /** As Go names it; empty where the name has none. */
  readonly architecture: string;
}

/** Characters of a name. */
export const longestName = 64;

const nameForm = /^[a-z0-9][a-z0-9.-]*$/;
const architectures: Readonly<Record<string, string>> = {
  amd64: "amd64",
  x86_64: "amd64",
  arm64: "arm64",
  aarch64: "arm64",
  riscv64: "riscv64",
  s390x: "s390x",
  ppc64le: "ppc64le",
};

/** What is wrong with a runtime's name; `undefined` for nothing. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (name.length > longestName) return `is longer than ${longestName} characters`;
  if (!nameForm.test(name))
    return "has others than lower case letters, digits, hyphens and dots, or begins with one of these two";
  return undefined;
}

/** Reads a name. @returns What is wrong with it, where it is none. */
export function readRuntimeName(text: string): RuntimeName | string {
  const name = text
    .replace(/^([a-z0-9]+):/, "$1-")
    .replaceAll("+", "-")
    .replace(/[@-]x86_64$/, "-amd64")
    .replace("@", "-");
  const problem = nameProblem(name);
  if (problem !== undefined) return problem;
  const [, word = "", version = "", rest = ""] = /^([a-z0-9]+)-(\d+(?:\.\d+)*)((?:-.*)?)$/.exec(name) ?? [];
  const language = languageOf(word);
  if (language === undefined) {
    if (text.includes(":")) return `tells no language that there is before the ":"`;
    return { name, language: "", version: "", variants: [], architecture: "" };
  }
  const parts = rest.split("-").filter((part) => part !== "");
  const last = parts.at(-1) ?? "";
  const architecture = Object.hasOwn(architectures, last) ? (architectures[last] as string) : "";
  return { name, language, version, variants: architecture === "" ? parts : parts.slice(0, -1), architecture };
}
