// Runtimes: built from specifications on a host whose programs the tests write, found by jobs, tried out, removed.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type BuildResult,
  type BuildRuntimeProgress,
  type BuildRuntimeRequestSchema,
  RuntimeService,
} from "@guestwire/joblet";
import { type Client, Code, createClient } from "@guestwire/rpc";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";

let joblet: TestJoblet;
let runtimes: Client<typeof RuntimeService>;
let host: string;

beforeEach(async () => {
  host = await realpath(await mkdtemp(join(tmpdir(), "gw-host-")));
  vi.stubEnv("PATH", `${host}${delimiter}${process.env["PATH"]}`);
  await program("python3", 'echo "Python 9.1.7"');
  joblet = await testJoblet();
  runtimes = createClient(RuntimeService, joblet.channel);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await joblet[Symbol.asyncDispose]();
  await rm(host, { recursive: true });
});

/** A program of the host. */
async function program(name: string, script: string): Promise<void> {
  await writeFile(join(host, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(host, name), 0o755);
}

function yaml(more = "", name = "tools"): string {
  return `name: ${name}\nversion: 1.0.0\nlanguage: python\nlanguage_version: 9.1\n${more}`;
}

async function build(yamlContent: string, more: MessageInitShape<typeof BuildRuntimeRequestSchema> = {}) {
  const items: BuildRuntimeProgress["progressType"][] = [];
  const request = { ...more, yamlContent };
  for await (const { progressType } of runtimes.buildRuntime(request)) items.push(progressType);
  const last = items.at(-1);
  expect(last?.case).toBe("result");
  const phases = items.flatMap((item) => (item.case === "phase" ? [item.value] : []));
  const logs = items.flatMap((item) => (item.case === "log" ? [`${item.value.level}: ${item.value.message}`] : []));
  return { phases, logs, result: last?.value as BuildResult };
}

/** Builds as soon as what was under way for that name is over. */
async function buildWhenFree(yamlContent: string, more?: MessageInitShape<typeof BuildRuntimeRequestSchema>) {
  for (;;) {
    const { result } = await build(yamlContent, more);
    if (!result.message.includes("just being built")) return result;
  }
}

/** What is left of builds. */
const scratch = (): string[] => readdirSync(join(joblet.path, "scratch"));
const installed = (): string[] => readdirSync(join(joblet.path, "joblet/runtimes"));
const listed = async (): Promise<string[]> => (await runtimes.listRuntimes({})).runtimes.map(({ name }) => name);

describe("building", () => {
  test("phases, then a result; the runtime is listed, described, tried out, and there after a restart", async () => {
    const text = yaml("description: For tests.\nenvironment: { MODE: fast }\n");
    const { phases, logs, result } = await build(text);
    expect(phases.map(({ phaseNumber, totalPhases }) => [phaseNumber, totalPhases])).toEqual([
      [1, 4],
      [2, 4],
      [3, 4],
      [4, 4],
    ]);
    expect(logs).toEqual([`info: ${host}/python3 is python 9.1.7`, "info: it runs: python 9.1.7"]);
    const installPath = join(joblet.path, "joblet/runtimes/tools");
    expect(result).toMatchObject({ success: true, runtimeName: "tools", runtimeVersion: "1.0.0", installPath });
    expect(readdirSync(join(installPath, "bin")).sort()).toEqual(["python", "python3"]);
    expect(await readFile(join(installPath, "runtime.yaml"), "utf8")).toBe(text);

    await joblet.restart();
    runtimes = createClient(RuntimeService, joblet.channel);
    const about = {
      name: "tools",
      language: "python",
      version: "1.0.0",
      languageVersion: "9.1",
      description: "For tests.",
      environment: { MODE: "fast" },
      available: true,
      sizeBytes: result.sizeBytes,
    };
    expect((await runtimes.listRuntimes({})).runtimes).toMatchObject([about]);
    const info = await runtimes.getRuntimeInfo({ runtime: "tools" });
    expect(info).toMatchObject({ found: true, runtime: { ...about, originalYaml: text } });
    expect(info.runtime?.buildInfo?.builtWith).toMatch(/^guestwire-guest v/);
    expect(await runtimes.testRuntime({ runtime: "tools" })).toMatchObject({
      success: true,
      output: "Python 9.1.7\n",
      error: "",
      exitCode: 0,
    });
    expect(scratch()).toEqual([]);
  });

  test("a dry run installs nothing, a verbose build tells more", async () => {
    expect((await build(yaml(), { dryRun: true })).result).toMatchObject({ success: true, installPath: "" });
    expect([await listed(), installed(), scratch()]).toEqual([[], [], []]);
    const { logs } = await build(yaml("colour: red\n"), { verbose: true });
    expect(logs).toContain(`debug: python3 -> ${host}/python3`);
    expect(logs[0]).toContain("warn: colour: means nothing here");
  });

  test.each([
    ["pip: [numpy]", "pip: this guest installs no packages: numpy"],
    ["npm: [left-pad]", "npm: this guest installs no packages: left-pad"],
    ["libraries: [libx*]", "libraries: this guest copies no libraries"],
    ["hooks: { post_install: echo }", "hooks: this guest runs no hooks: post_install"],
    ["requirements: { gpu: true }", "requirements.gpu: this guest gives no GPUs"],
    ["requirements: { architectures: [vax] }", "requirements.architectures: vax is wanted"],
  ])("what the guest does not do fails, in band and in the check: %s", async (line, why) => {
    const { result } = await build(yaml(line));
    expect(result.success).toBe(false);
    expect(result.message).toContain(why);
    const checked = await runtimes.validateRuntimeYAML({ yamlContent: yaml(line) });
    expect(checked.valid).toBe(false);
    expect(checked.errors).toHaveLength(1);
    expect(checked.errors[0]).toContain(why);
    expect([installed(), scratch()]).toEqual([[], []]);
  });

  test("a host without the language, in the wrong version, or with a program that fails", async () => {
    await program("python9.2", "echo broken; exit 3");
    const { message } = (await build(yaml().replace("9.1", "9.2"))).result;
    expect(message).toContain("language_version: this host has no python 9.2 that works");
    expect(message).toContain(`${host}/python9.2 failed with exit code 3: broken`);
    expect(message).toContain(`${host}/python3 is 9.1.7`);
    vi.stubEnv("PATH", host);
    const none = await build(yaml().replace("python", "go"));
    expect(none.result.message).toContain("language: this host has no go 9.1: there is no program go");
  });

  test("a specification that is wrong: all findings at once; an empty one is an error of the call", async () => {
    const { result, logs } = await build("name: Tools\nversion: 1.0.0\nlanguage: perl\n");
    expect(result.success).toBe(false);
    expect(logs).toHaveLength(2);
    const checked = await runtimes.validateRuntimeYAML({
      yamlContent: "name: Tools\nversion: 1.0.0\nlanguage: perl\n",
    });
    expect(checked).toMatchObject({ valid: false, message: "the specification has 2 errors" });
    const error = await errorOf(runtimes.buildRuntime({ yamlContent: "" }));
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      "yaml_content: must not be empty: invalid argument",
    ]);
  });

  test("the check of one that can be built, and of one that exists", async () => {
    const specInfo = { name: "tools", version: "1.0.0", language: "python", languageVersion: "9.1", hasHooks: false };
    const checked = await runtimes.validateRuntimeYAML({ yamlContent: yaml() });
    expect(checked).toMatchObject({ valid: true, errors: [], warnings: [], specInfo });
    await build(yaml());
    const again = await runtimes.validateRuntimeYAML({ yamlContent: yaml() });
    expect(again).toMatchObject({ valid: true, errors: [] });
    expect(again.warnings[0]).toContain("version 1.0.0 is installed");
  });

  test("one that exists is in the way, and is replaced by force", async () => {
    await build(yaml());
    const refused = (await build(yaml())).result;
    expect([refused.success, refused.message]).toEqual([
      false,
      'runtime "tools": version 1.0.0 is installed: already exists',
    ]);
    const forced = await build(yaml("description: New.\n").replace("1.0.0", "2.0.0"), { forceRebuild: true });
    expect(forced.result.success).toBe(true);
    expect((await runtimes.listRuntimes({})).runtimes).toMatchObject([{ version: "2.0.0", description: "New." }]);
    expect(installed()).toEqual(["tools"]);
    expect(scratch()).toEqual([]);
  });

  test("one that was being replaced when the guest was killed is there again", async () => {
    await build(yaml());
    const folder = join(joblet.path, "joblet/runtimes");
    const record = join(folder, "tools/record.json");
    const content = await readFile(record, "utf8");
    await rm(join(folder, "tools"), { recursive: true });
    await mkdir(join(folder, ".old-tools"));
    await joblet.restart({ killedWith: { path: join(folder, ".old-tools/record.json"), content } });
    runtimes = createClient(RuntimeService, joblet.channel);
    expect(await listed()).toEqual(["tools"]);
    expect(installed()).toEqual(["tools"]);
  });

  test("a canceled build leaves nothing, neither files nor programs", async () => {
    execFileSync("mkfifo", [join(host, "pid")]);
    await program("python3", `echo $$ > ${host}/pid; sleep 1000`);
    const canceled = new AbortController();
    const items = runtimes.buildRuntime({ yamlContent: yaml() }, { signal: canceled.signal });
    const end = (async () => {
      for await (const _ of items);
    })();
    // Waits until the program has written it.
    const pid = Number.parseInt(await readFile(join(host, "pid"), "utf8"), 10);
    expect(alive(pid)).toBe(true);
    canceled.abort();
    expect((await errorOf(end)).code).toBe(Code.Canceled);
    await program("python3", 'echo "Python 9.1.7"');
    // Not by force: there is none.
    expect((await buildWhenFree(yaml())).success).toBe(true);
    expect([alive(pid), scratch(), installed()]).toEqual([false, [], ["tools"]]);
  });

  test("a client that leaves between two items leaves nothing either", async () => {
    const items = runtimes.buildRuntime({ yamlContent: yaml() });
    await items.next();
    await items.return();
    expect((await buildWhenFree(yaml(), { forceRebuild: true })).success).toBe(true);
    expect(scratch()).toEqual([]);
  });

  test("of builds of one name at once there is one; different names do not matter to each other", async () => {
    const all = await Promise.all([...["a", "a", "a", "b"].map((name) => build(yaml("", name)))]);
    const built = all.map(({ result }) => result).filter(({ success }) => success);
    expect(built.map(({ runtimeName }) => runtimeName).sort()).toEqual(["a", "b"]);
    for (const { result } of all) {
      if (!result.success) expect(result.message).toMatch(/just being built|is installed/);
    }
    expect(await listed()).toEqual(["a", "b"]);
  });
});

describe("jobs", () => {
  test("get the runtime's programs and variables, by its name or by language and version", async () => {
    await program("python3", 'if [ "$1" = --version ]; then echo "Python 9.1.7"; else echo "ran $MODE $LEVEL"; fi');
    await build(yaml("environment: { MODE: fast, LEVEL: one }\n"));
    vi.stubEnv("PATH", "/usr/bin:/bin");
    const run = async (runtime: string): Promise<string> => {
      const job = { command: "python", args: ["x"], runtime, environment: { LEVEL: "two" } };
      const { jobUuid } = await joblet.jobs.runJob(job);
      expect((await joblet.over(jobUuid)).runtime).toBe("tools");
      return joblet.output(jobUuid);
    };
    expect([await run("tools"), await run("python:9.1")]).toEqual(["ran fast two\n", "ran fast two\n"]);
    const error = await errorOf(joblet.jobs.runJob({ command: "true", runtime: "python:9.2" }));
    expect(error.rawMessage).toContain('runtime: there is no runtime "python:9.2"');
  });

  test("run a real language: the Node that runs this", async () => {
    vi.stubEnv("PATH", `${dirname(process.execPath)}${delimiter}/usr/bin:/bin`);
    const version = process.versions.node;
    const { result } = await build(`name: node\nversion: 1.0.0\nlanguage: node\nlanguage_version: ${version}\n`);
    expect([result.message, result.success]).toEqual(["it was built and installed", true]);
    vi.stubEnv("PATH", "/usr/bin:/bin");
    const job = { command: "node", args: ["-p", "process.versions.node"], runtime: `node:${version.split(".")[0]}` };
    expect(await joblet.output((await joblet.jobs.runJob(job)).jobUuid)).toBe(`${version}\n`);
  });

  test("keep what they use: no removal and no replacement meanwhile", async () => {
    await build(yaml());
    const { jobUuid } = await joblet.jobs.runJob({ command: "sleep", args: ["1000"], runtime: "tools" });
    const refused = await runtimes.removeRuntime({ runtime: "tools" });
    expect(refused.success).toBe(false);
    expect(refused.message).toContain("it is in use by 1 jobs");
    expect((await build(yaml(), { forceRebuild: true })).result.message).toContain("it is in use by 1 jobs");
    await joblet.jobs.stopJob({ uuid: jobUuid });
    const removed = await runtimes.removeRuntime({ runtime: "tools" });
    expect(removed.success).toBe(true);
    expect(removed.freedSpaceBytes).toBeGreaterThan(0n);
    expect([installed(), scratch()]).toEqual([[], []]);
  });

  test("do not get one whose program is gone", async () => {
    await build(yaml());
    await rm(join(host, "python3"));
    expect((await runtimes.listRuntimes({})).runtimes).toMatchObject([{ name: "tools", available: false }]);
    expect((await errorOf(joblet.jobs.runJob({ command: "true", runtime: "tools" }))).code).toBe(Code.InvalidArgument);
    const tried = await runtimes.testRuntime({ runtime: "tools" });
    expect([tried.success, tried.exitCode]).toEqual([false, -1]);
    expect(tried.error).toContain("cannot be started");
  });
});

test("a trial tells what the program said, and a version that has changed", async () => {
  await build(yaml());
  await program("python3", "echo oh no >&2; exit 7");
  expect(await runtimes.testRuntime({ runtime: "tools" })).toMatchObject({
    success: false,
    output: "oh no\n",
    exitCode: 7,
  });
  await program("python3", "echo Python 9.2.0");
  const { success, error } = await runtimes.testRuntime({ runtime: "tools" });
  expect([success, error]).toEqual([false, "it is python 9.2.0 now, not 9.1"]);
});

test("what there is not is told in band", async () => {
  expect(await runtimes.getRuntimeInfo({ runtime: "none" })).toMatchObject({ found: false });
  expect((await runtimes.getRuntimeInfo({ runtime: "../up" })).runtime).toBeUndefined();
  expect(await runtimes.testRuntime({ runtime: "none" })).toMatchObject({
    success: false,
    error: 'there is no runtime "none"',
  });
  expect(await runtimes.removeRuntime({ runtime: "none" })).toMatchObject({
    success: false,
    message: 'there is no runtime "none"',
  });
});

test("a name that means several is not removed", async () => {
  await build(yaml("", "one"));
  await build(yaml("", "two"));
  const { success, message } = await runtimes.removeRuntime({ runtime: "python:9.1" });
  expect([success, message]).toEqual([false, '"python:9.1" means several runtimes: one, two']);
  expect(existsSync(join(joblet.path, "joblet/runtimes/one"))).toBe(true);
});
