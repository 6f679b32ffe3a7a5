// Runtimes from files in the request, as clients of old Joblets install them.
import { readdirSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeService } from "@guestwire/joblet";
import { type Client, Code, createClient } from "@guestwire/rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";

let joblet: TestJoblet;
let runtimes: Client<typeof RuntimeService>;

beforeEach(async () => {
  joblet = await testJoblet();
  runtimes = createClient(RuntimeService, joblet.channel);
});
afterEach(() => joblet[Symbol.asyncDispose]());

const folder = (): string => join(joblet.path, "joblet/runtimes");
const file = (path: string, text: string, executable = false) => ({ path, content: Buffer.from(text), executable });
const python = file("bin/python3", '#!/bin/sh\necho "Python 3.11.0 of the files"\n', true);

async function stream(request: object) {
  const chunks = [];
  for await (const { chunkType } of runtimes.streamingInstallRuntimeFromLocal(request)) chunks.push(chunkType);
  return chunks;
}

test("files are installed, and a real job tries the runtime out", async () => {
  const files = [python, file("./lib//data.txt", "hello")];
  const answer = await runtimes.installRuntimeFromLocal({ runtimeSpec: "python:3.11+ml", files });
  expect(answer).toMatchObject({ runtimeSpec: "python-3.11-ml", status: "RUNNING", repository: "" });
  expect((await joblet.over(answer.buildJobUuid)).status).toBe("COMPLETED");
  expect(await joblet.output(answer.buildJobUuid)).toBe("Python 3.11.0 of the files\n");
  const path = join(folder(), "python-3.11-ml");
  expect(await readFile(join(path, "files/lib/data.txt"), "utf8")).toBe("hello");
  expect((await stat(join(path, "files/bin/python3"))).mode & 0o777).toBe(0o755);
  expect((await stat(join(path, "files/lib/data.txt"))).mode & 0o777).toBe(0o644);

  const { jobUuid } = await joblet.jobs.runJob({ command: "python3", runtime: "python-3.11-ml" });
  expect(await joblet.output(jobUuid)).toBe("Python 3.11.0 of the files\n");
  const again = errorOf(runtimes.installRuntimeFromLocal({ runtimeSpec: "python-3.11-ml", files }));
  expect((await again).code).toBe(Code.AlreadyExists);
  const forced = await runtimes.installRuntimeFromLocal({ runtimeSpec: "python-3.11-ml", files, forceReinstall: true });
  expect((await joblet.over(forced.buildJobUuid)).status).toBe("COMPLETED");
});

test("streamed: progress, output, and the result", async () => {
  const yaml = file(
    "runtime.yaml",
    "name: tools\nversion: 2.1.0\nlanguage: python\nenvironment: { MODE: fast }\ndescription: Files.\n",
  );
  const chunks = await stream({ runtimeSpec: "tools", files: [python, yaml] });
  expect(chunks.filter((chunk) => chunk.case === "progress").map((chunk) => chunk.value.step)).toEqual([1, 2, 3, 4]);
  const output = chunks.flatMap((chunk) => (chunk.case === "log" ? [Buffer.from(chunk.value.data).toString()] : []));
  expect(output.join("")).toContain("info: it runs: python 3.11.0\n");
  expect(chunks.at(-1)?.value).toMatchObject({
    success: true,
    runtimeSpec: "tools",
    installPath: join(folder(), "tools"),
  });
  expect((await runtimes.getRuntimeInfo({ runtime: "tools" })).runtime).toMatchObject({
    version: "2.1.0",
    languageVersion: "3.11.0",
    environment: { MODE: "fast" },
    description: "Files.",
  });
});

test("an installation that fails: in band on the stream, an error of the plain call, and nothing is left", async () => {
  const broken = file("bin/python3", "#!/bin/sh\necho broken\nexit 2\n", true);
  const request = { runtimeSpec: "python-3.11", files: [broken] };
  const result = (await stream(request)).at(-1)?.value;
  expect(result).toMatchObject({ success: false, runtimeSpec: "python-3.11", installPath: "" });
  const why = "files/bin/python3 failed with exit code 2: broken";
  expect((result as { message: string }).message).toContain(why);
  const error = await errorOf(runtimes.installRuntimeFromLocal(request));
  expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, `${why}: failed precondition`]);
  expect([readdirSync(folder()), readdirSync(join(joblet.path, "scratch"))]).toEqual([[], []]);
  expect((await joblet.jobs.listJobs({})).jobs).toEqual([]);
});

test.each([
  ["runtime_spec: ", { runtimeSpec: "", files: [python] }],
  ["runtime_spec: ", { runtimeSpec: "../up", files: [python] }],
  ["runtime_spec: ", { runtimeSpec: "tools", files: [python] }],
  ["files: must not be empty", { runtimeSpec: "python-3.11", files: [] }],
  ["files[0].path: ", { runtimeSpec: "python-3.11", files: [file("../../etc/x", "")] }],
  ["files[0].path: ", { runtimeSpec: "python-3.11", files: [file("/etc/x", "")] }],
  ["files[0].path: ", { runtimeSpec: "python-3.11", files: [file("", "")] }],
  ["files[1].path: ", { runtimeSpec: "python-3.11", files: [python, python] }],
  ["files[1].path: ", { runtimeSpec: "python-3.11", files: [file("bin", ""), python] }],
  [
    "files[0].content: version: is missing; language: is missing; name: ",
    { runtimeSpec: "python-3.11", files: [file("runtime.yaml", "name: X")] },
  ],
  [
    'files[0].content: name: "other" is not "python-3.11"',
    {
      runtimeSpec: "python-3.11",
      files: [file("runtime.yaml", "name: other\nversion: 1.0.0\nlanguage: python\n")],
    },
  ],
])("refused by both calls, naming the place: %s", async (message, request) => {
  for (const error of [
    await errorOf(runtimes.installRuntimeFromLocal(request)),
    await errorOf(runtimes.streamingInstallRuntimeFromLocal(request)),
  ]) {
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage.startsWith(message)).toBe(true);
  }
  expect(readdirSync(folder())).toEqual([]);
});

test("nothing comes from repositories", async () => {
  const request = { runtimeSpec: "python-3.11", repository: "owner/name" };
  for (const error of [
    await errorOf(runtimes.installRuntimeFromGithub(request)),
    await errorOf(runtimes.streamingInstallRuntimeFromGithub(request)),
  ]) {
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.rawMessage).toContain("reaches no repository");
  }
});

test("how names read", async () => {
  expect(await runtimes.validateRuntimeSpec({ runtimeSpec: "openjdk:21+slim@arm64" })).toMatchObject({
    valid: true,
    normalizedSpec: "openjdk-21-slim-arm64",
    specInfo: { language: "java", version: "21", variants: ["slim"], architecture: "arm64" },
  });
  const wrong = await runtimes.validateRuntimeSpec({ runtimeSpec: "Python 3" });
  expect(wrong.valid).toBe(false);
  expect(wrong.message).toContain('"Python 3" has others than lower case letters');
  expect((await runtimes.validateRuntimeSpec({ runtimeSpec: "" })).valid).toBe(false);
});
