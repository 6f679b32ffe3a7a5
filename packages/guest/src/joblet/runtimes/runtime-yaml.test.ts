// What a runtime.yaml may say, and how names of runtimes read.
import { describe, expect, test } from "vitest";
import { fits, type Language, languages, newestFirst } from "./languages.js";
import { readRuntimeName } from "./runtime-name.js";
import { readRuntimeYaml } from "./runtime-yaml.js";

const least = "name: tools\nversion: 1.0.0\nlanguage: python\n";

test("everything that a specification can say", () => {
  const { spec, errors, warnings } = readRuntimeYaml(`
schema_version: "1.0"
name: python-3.10-ml
version: 1.2.3
language: python
language_version: 3.10
description: For learning.
pip: [numpy, "pandas>=2"]
npm:
libraries: ["libopenblas*"]
environment: { MODE: fast, COUNT: 3, EMPTY: "" }
requirements: { architectures: [amd64], gpu: true }
hooks: { pre_install: "", post_install: [echo done] }
`);
  expect([errors, warnings]).toEqual([[], []]);
  expect(spec).toEqual({
    name: "python-3.10-ml",
    version: "1.2.3",
    language: "python",
    // No number: 3.10 is not 3.1.
    languageVersion: "3.10",
    description: "For learning.",
    pip: ["numpy", "pandas>=2"],
    npm: [],
    libraries: ["libopenblas*"],
    environment: { MODE: "fast", COUNT: "3", EMPTY: "" },
    architectures: ["amd64"],
    gpu: true,
    hooks: ["post_install"],
  });
});

test("all that is wrong is told at once, each with its path", () => {
  const { errors, warnings } = readRuntimeYaml(`
name: Tools
version: "1.0"
language: perl
language_version: new
pip: numpy
npm: [left-pad, "", [x]]
environment: { "A=B": x, PATH: /bin, GUESTWIRE_SCOPE: x, LIST: [] }
requirements: { gpu: maybe, cores: 4 }
hooks: { pre_install: { a: b }, later: x }
colour: red
`);
  expect(errors).toEqual([
    'requirements.gpu: "maybe" is neither true nor false',
    "name: has others than lower case letters, digits, hyphens and dots, or begins with one of these two",
    'version: "1.0" is no version X.Y.Z',
    'language: "perl" is none of python, java, node, go, rust',
    'language_version: "new" is no version such as 3.11',
    "pip: must be a list",
    "npm[1]: must be a text that is not empty",
    "npm[2]: must be a text that is not empty",
    "environment.A=B: is no name of a variable",
    "environment.PATH: is made of the runtime's programs and the host's",
    "environment.GUESTWIRE_SCOPE: is the guest's own",
    "environment.LIST: must be a text",
    "hooks.pre_install: must be a text",
  ]);
  expect(warnings.map((warning) => warning.split(" ", 1)[0])).toEqual([
    "colour:",
    "requirements.cores:",
    "hooks.later:",
  ]);
});

test.each([
  ["", "yaml_content: must not be empty"],
  ["- a", "yaml_content: must be a mapping"],
  ["a: [", "yaml_content: "],
  ["a: *nothing", "yaml_content: Unresolved alias"],
  ["name: a\nname: b", "yaml_content: Map keys must be unique"],
  [`description: ${"x".repeat(40_000)}`, "yaml_content: is longer than"],
  ["[".repeat(30_000), "yaml_content: "],
  [least.replace("name: tools\n", ""), "name: is missing"],
  [least.replace("tools", "x".repeat(65)), "name: is longer than 64"],
  [`${least}pip: [${"a,".repeat(1001)}]`, "pip: has 1001 entries"],
])("text $# is refused", (text, finding) => {
  const { errors } = readRuntimeYaml(text);
  expect(errors).toHaveLength(1);
  expect(errors[0]?.startsWith(finding)).toBe(true);
});

test("aliases that unfold to very much are refused", () => {
  const lines = Array.from({ length: 12 }, (_, index) => `k${index}: &k${index} [${`*k${index - 1}, `.repeat(9)}]`);
  lines[0] = "k0: &k0 [x]";
  expect(readRuntimeYaml(lines.join("\n")).errors[0]).toContain("alias");
});

describe("names", () => {
  test.each([
    ["python-3.11-ml", "python-3.11-ml", "python", "3.11", ["ml"], ""],
    ["openjdk:21", "openjdk-21", "java", "21", [], ""],
    ["node:20+slim@arm64", "node-20-slim-arm64", "node", "20", ["slim"], "arm64"],
    ["golang-1.23-x86_64", "golang-1.23-amd64", "go", "1.23", [], "amd64"],
    ["my-tools", "my-tools", "", "", [], ""],
  ])("%s", (text, name, language, version, variants, architecture) => {
    expect(readRuntimeName(text)).toEqual({ name, language, version, variants, architecture });
  });

  test.each([
    ["", "must not be empty"],
    ["../up", "has others than"],
    ["Python-3.11", "has others than"],
    ["cobol:85", "tells no language"],
    ["a/b", "has others than"],
    [`a${"b".repeat(64)}`, "is longer than 64"],
  ])("%j is none", (text, why) => {
    expect(readRuntimeName(text)).toContain(why);
  });
});

describe("versions", () => {
  test.each([
    ["python", "Python 3.11.7\n", "3.11.7"],
    ["java", 'openjdk version "17.0.15" 2025-04-15\n', "17.0.15"],
    ["java", 'java version "1.8.0_392"\n', "8.0"],
    ["java", 'openjdk version "21" 2023-09-19\n', "21"],
    ["node", "v22.12.0\n", "22.12.0"],
    ["go", "go version go1.23.4 linux/amd64\n", "1.23.4"],
    ["rust", "rustc 1.83.0 (90b35a623 2024-11-26)\n", "1.83.0"],
  ])("%s says %j", (language, output, version) => {
    expect((languages[language] as Language).version.exec(output)?.[1]).toBe(version);
  });

  test("one that fits", () => {
    expect(fits("3.11.7", "3.11")).toBe(true);
    expect(fits("3.11.7", "3.1")).toBe(false);
    expect(fits("3.11", "3.11.7")).toBe(false);
    expect(fits("3.11", "")).toBe(true);
    expect(["3.9", "3.12", "3.10"].sort(newestFirst)).toEqual(["3.12", "3.10", "3.9"]);
  });
});
