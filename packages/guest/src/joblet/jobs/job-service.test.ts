import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { JobService } from "@guestwire/joblet";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";

let joblet: TestJoblet;
const none = "00000000-0000-4000-8000-000000000000";

beforeAll(async () => {
  joblet = await testJoblet({ keepaliveMs: 10 });
});

afterAll(() => joblet[Symbol.asyncDispose]());

async function run(...command: [string, ...string[]]): Promise<string> {
  const [program, ...args] = command;
  return (await joblet.jobs.runJob({ command: program, args })).jobUuid;
}

/** Reads a job's output until it has said something. */
async function said(uuid: string, text: string): Promise<string> {
  let all = "";
  for await (const { payload } of joblet.jobs.getJobLogs({ uuid })) {
    all += Buffer.from(payload).toString();
    if (all.includes(text)) return all;
  }
  throw new Error(`the job ended and said ${JSON.stringify(all)}`);
}

test("a job runs: started, followed, over, listed, deleted", async () => {
  const { jobs } = joblet;
  const started = await jobs.runJob({
    name: "hello",
    command: "sh",
    args: ["-c", 'echo "$GREETING $TOKEN"; echo err >&2; exit 3'],
    environment: { GREETING: "hi" },
    secretEnvironment: { TOKEN: "s3cret" },
    maxMemory: 512,
  });
  expect(started.status).toBe("RUNNING");
  expect(started.command).toBe("sh");
  expect(started.startTime).toMatch(/^\d{4}-.*Z$/);
  const uuid = started.jobUuid;
  expect(await joblet.output(uuid)).toBe("hi s3cret\nerr\n");

  const status = await jobs.getJobStatus({ uuid });
  expect(status).toMatchObject({
    uuid,
    name: "hello",
    status: "FAILED",
    exitCode: 3,
    environment: { GREETING: "hi" },
    secretEnvironment: { TOKEN: "***" },
    network: "bridge",
    maxMemory: 512,
    nodeId: "node-1",
  });
  expect(Date.parse(status.endTime)).toBeGreaterThanOrEqual(Date.parse(status.startTime));
  const { jobs: all } = await jobs.listJobs({});
  expect(all.find((job) => job.uuid === uuid)).toMatchObject({ status: "FAILED", secretEnvironment: { TOKEN: "***" } });
  // The secret is nowhere on disk but in what the job itself wrote.
  const folder = join(joblet.path, "joblet/jobs", uuid);
  for (const name of await readdir(folder)) {
    // `job.json.new` is about to become `job.json`.
    if (name === "work" || name.startsWith("output.") || name.endsWith(".new")) continue;
    expect(await readFile(join(folder, name), "utf8")).not.toContain("s3cret");
  }
  expect(await jobs.deleteJob({ uuid })).toMatchObject({ uuid, success: true });
  expect((await errorOf(jobs.deleteJob({ uuid }))).code).toBe(Code.NotFound);
  await expect(stat(folder)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a job that ends with 0 is COMPLETED", async () => {
  expect(await joblet.over(await run("true"))).toMatchObject({ status: "COMPLETED", exitCode: 0 });
});

test("output is history first, then live, nothing twice and nothing lost, for many readers at once", async () => {
  const script = "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done";
  const uuid = await run("sh", "-c", script);
  const readers = [joblet.output(uuid)];
  await said(uuid, "line 100\n");
  readers.push(joblet.output(uuid));
  await said(uuid, "line 2000\n");
  readers.push(joblet.output(uuid));
  await joblet.over(uuid);
  readers.push(joblet.output(uuid));
  const expected = Array.from({ length: 4000 }, (_, index) => `line ${index}\n`).join("");
  for (const text of await Promise.all(readers)) expect(text === expected).toBe(true);
});

test("large output passes whole, and a job that nobody follows never waits", async () => {
  const uuid = await run("sh", "-c", "head -c 20000000 /dev/zero; echo end");
  // Nobody reads until it is over.
  while ((await joblet.jobs.getJobStatus({ uuid })).status === "RUNNING") await said(uuid, "");
  let size = 0;
  for await (const { payload } of joblet.jobs.getJobLogs({ uuid })) size += payload.length;
  expect(size).toBe(20_000_004);
});

test("a silent job is kept alive with empty chunks, and leaving does not end it", async () => {
  const uuid = await run("sleep", "1000");
  const logs = joblet.jobs.getJobLogs({ uuid });
  expect((await logs.next()).value?.payload).toHaveLength(0);
  await logs.return();
  expect((await joblet.jobs.getJobStatus({ uuid })).status).toBe("RUNNING");
  await joblet.jobs.stopJob({ uuid });
});

test("StopJob ends a job with SIGTERM, with all that it started", async () => {
  const uuid = await run("sh", "-c", "setsid sleep 1000 & echo $!; wait");
  const child = Number.parseInt(await said(uuid, "\n"), 10);
  expect(alive(child)).toBe(true);
  const stopped = await joblet.jobs.stopJob({ uuid: uuid.slice(0, 13) });
  expect(stopped).toMatchObject({ uuid, status: "STOPPED", exitCode: 143 });
  expect(stopped.endTime).not.toBe("");
  expect(alive(child)).toBe(false);
  expect(await joblet.jobs.getJobStatus({ uuid })).toMatchObject({ status: "STOPPED" });
  expect((await errorOf(joblet.jobs.stopJob({ uuid }))).code).toBe(Code.FailedPrecondition);
});

test("StopJob kills what does not heed SIGTERM, and two calls at once both answer", async () => {
  await using own = await testJoblet({ stopGraceMs: 50 });
  const { jobUuid: uuid } = await own.jobs.runJob({
    command: "sh",
    args: ["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
  });
  for await (const { payload } of own.jobs.getJobLogs({ uuid })) if (payload.length > 0) break;
  const both = await Promise.all([own.jobs.stopJob({ uuid }), own.jobs.stopJob({ uuid })]);
  for (const stopped of both) expect(stopped).toMatchObject({ status: "STOPPED", exitCode: 137 });
});

test("StopJob ends a job that cleared its environment and does not heed SIGTERM", async () => {
  await using own = await testJoblet({ stopGraceMs: 50 });
  const script = "trap '' TERM; echo $$; while :; do /bin/sleep 0.1; done";
  const { jobUuid: uuid } = await own.jobs.runJob({ command: "env", args: ["-i", "/bin/sh", "-c", script] });
  let pid = 0;
  for await (const { payload } of own.jobs.getJobLogs({ uuid })) {
    pid = Number(Buffer.from(payload));
    void own.jobs.stopJob({ uuid }).catch(() => {});
  }
  expect(await own.jobs.getJobStatus({ uuid })).toMatchObject({ status: "STOPPED", exitCode: 137 });
  expect([pid > 0, alive(pid)]).toEqual([true, false]);
});

test("a running job cannot be deleted or canceled; DeleteAllJobs leaves it", async () => {
  await using own = await testJoblet();
  const { jobUuid: done } = await own.jobs.runJob({ command: "true" });
  await own.over(done);
  const { jobUuid: uuid } = await own.jobs.runJob({ command: "sleep", args: ["1000"] });
  for (const call of [own.jobs.deleteJob({ uuid }), own.jobs.cancelJob({ uuid })]) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toContain(`jobs/${uuid}: the job is RUNNING`);
  }
  expect(await own.jobs.deleteAllJobs({})).toMatchObject({ success: true, deletedCount: 1, skippedCount: 1 });
  expect((await own.jobs.listJobs({})).jobs.map((job) => job.uuid)).toEqual([uuid]);
});

test("a UUID may be a prefix that one job has; unknown and ambiguous ones are NotFound, none is InvalidArgument", async () => {
  await using own = await testJoblet();
  const [a, b] = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"];
  for (const jobUuid of [a, b]) expect((await own.jobs.runJob({ command: "true", jobUuid })).jobUuid).toBe(jobUuid);
  expect((await own.jobs.getJobStatus({ uuid: b })).uuid).toBe(b);
  expect((await own.jobs.getJobStatus({ uuid: b.toUpperCase() })).uuid).toBe(b);
  expect((await errorOf(own.jobs.runJob({ command: "true", jobUuid: a }))).code).toBe(Code.AlreadyExists);
  await own.over(a);
  await own.jobs.deleteJob({ uuid: a });
  expect((await own.jobs.getJobStatus({ uuid: "aaaaaaaa" })).uuid).toBe(b);
  await own.jobs.runJob({ command: "true", jobUuid: a });
  const calls = (uuid: string) => [
    own.jobs.getJobStatus({ uuid }),
    own.jobs.stopJob({ uuid }),
    own.jobs.cancelJob({ uuid }),
    own.jobs.deleteJob({ uuid }),
    own.jobs.getJobLogs({ uuid }),
    own.jobs.streamJobMetrics({ jobUuid: uuid }),
    own.jobs.getJobMetrics({ jobUuid: uuid }),
    own.jobs.streamJobTelematics({ jobUuid: uuid }),
    own.jobs.getJobTelematics({ jobUuid: uuid }),
  ];
  for (const uuid of ["aaaaaaaa", none]) {
    for (const call of calls(uuid)) expect((await errorOf(call)).code).toBe(Code.NotFound);
  }
  for (const call of calls("")) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(/^(job_)?uuid: must not be empty/);
  }
});

describe("a bad request is InvalidArgument and names its field", () => {
  const file = (path: string) => ({ path, content: Buffer.from("x"), mode: 0o644 });
  const cases: [string, Parameters<TestJoblet["jobs"]["runJob"]>[0]][] = [
    ["command: must not be empty", {}],
    ["command: contains a NUL", { command: "a\0b" }],
    ["args[1]: contains a NUL", { command: "true", args: ["", "\0"] }],
    ["max_cpu: -1 is negative", { command: "true", maxCpu: -1 }],
    ["max_memory: -1 is negative", { command: "true", maxMemory: -1 }],
    ["max_io_bps: -5 is negative", { command: "true", maxIoBps: -5 }],
    ["gpu_count: -1 is negative", { command: "true", gpuCount: -1 }],
    ["gpu_memory_mb: -1 is negative", { command: "true", gpuMemoryMb: -1 }],
    ['cpu_cores: "many" is no list of cores', { command: "true", cpuCores: "many" }],
    ["cpu_cores: there is no core 8000", { command: "true", cpuCores: "0,8000" }],
    ["volumes[0]: must not be empty", { command: "true", volumes: [""] }],
    ['volumes[0]: there is no volume "data"', { command: "true", volumes: ["data"] }],
    ['network: there is no network "lan"', { command: "true", network: "lan" }],
    ['runtime: there is no runtime "python"', { command: "true", runtime: "python" }],
    ['environment: "A=B" is no name of a variable', { command: "true", environment: { "A=B": "" } }],
    ['environment["A"]: contains a NUL', { command: "true", environment: { A: "\0" } }],
    [
      'secret_environment: "A" is in environment as well',
      { command: "true", environment: { A: "1" }, secretEnvironment: { A: "2" } },
    ],
    ["environment: GUESTWIRE_SCOPE is the guest's own", { command: "true", environment: { GUESTWIRE_SCOPE: "x" } }],
    ['schedule: "soon" is no time', { command: "true", schedule: "soon" }],
    ["job_uuid: is no UUID", { command: "true", jobUuid: "7" }],
    ['uploads[0].path: "../x" contains ".."', { command: "true", uploads: [file("../x")] }],
    ['uploads[0].path: "/etc/x" is not relative', { command: "true", uploads: [file("/etc/x")] }],
    ["uploads[0].path: must not be empty", { command: "true", uploads: [file("")] }],
    ['uploads[0].path: "./" names no file', { command: "true", uploads: [file("./")] }],
    ['uploads[1].path: "a//b" comes twice', { command: "true", uploads: [file("a/b"), file("a//b")] }],
    ['uploads[1].path: "a/b" lies below a file', { command: "true", uploads: [file("a"), file("a/b")] }],
    ["uploads[0].content: must be empty", { command: "true", uploads: [{ ...file("a"), isDirectory: true }] }],
  ];
  test.each(cases)("%s", async (message, request) => {
    const before = (await joblet.jobs.listJobs({})).jobs.length;
    const error = await errorOf(joblet.jobs.runJob(request));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain(message);
    expect((await joblet.jobs.listJobs({})).jobs).toHaveLength(before);
  });
});

test("a job that cannot be started is Internal and leaves nothing", async () => {
  const before = await readdir(join(joblet.path, "joblet/jobs"));
  const error = await errorOf(joblet.jobs.runJob({ command: "no-such-program", args: ["x"] }));
  expect(error.code).toBe(Code.Internal);
  expect(error.rawMessage).toContain('command "no-such-program": not found');
  const blocked = { command: "true", workDir: "file", uploads: [{ path: "file", content: Buffer.from("x") }] };
  expect((await errorOf(joblet.jobs.runJob(blocked))).rawMessage).toContain('work_dir "file"');
  expect(await readdir(join(joblet.path, "joblet/jobs"))).toEqual(before);
});

test("GPUs are Unimplemented", async () => {
  expect((await errorOf(joblet.jobs.runJob({ command: "true", gpuCount: 1 }))).code).toBe(Code.Unimplemented);
});

test("uploads are in the job's folder with their modes; a job that hides its folders can be deleted", async () => {
  const { jobUuid: uuid } = await joblet.jobs.runJob({
    command: "./bin/run.sh",
    workDir: "/app",
    uploads: [
      {
        path: "app/bin/run.sh",
        content: Buffer.from('#!/bin/sh\nstat -c "%a %n" . bin/run.sh data data/x\npwd\n'),
        mode: 0o100755,
      },
      { path: "app/data", isDirectory: true, mode: 0o500 },
      { path: "app/data/x", content: Buffer.from("x"), mode: 0o4640 },
    ],
  });
  const files = join(joblet.path, "joblet/jobs", uuid, "work");
  expect(await joblet.output(uuid)).toBe(`755 .\n755 bin/run.sh\n500 data\n640 data/x\n${files}/app\n`);
  const status = await joblet.jobs.getJobStatus({ uuid });
  expect(status).toMatchObject({
    status: "COMPLETED",
    workDir: "/app",
    uploads: ["app/bin/run.sh", "app/data", "app/data/x"],
  });
  await joblet.jobs.deleteJob({ uuid });
});

test("a job is held to its cores", async () => {
  const own = /^Cpus_allowed_list:\s*(\d+)/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] as string;
  const { jobUuid: uuid } = await joblet.jobs.runJob({
    command: "sh",
    args: ["-c", "grep Cpus_allowed_list /proc/self/status"],
    cpuCores: own,
  });
  expect(await joblet.output(uuid)).toBe(`Cpus_allowed_list:\t${own}\n`);
});

test("a job that takes more memory than it may is killed and says why", async () => {
  await using own = await testJoblet({ sampleMs: 10 });
  const script = "a=$(head -c 100000000 /dev/zero | tr '\\0' a); echo ready; sleep 1000";
  const { jobUuid: uuid } = await own.jobs.runJob({ command: "sh", args: ["-c", script], maxMemory: 50 });
  expect(await own.over(uuid)).toMatchObject({ status: "FAILED", exitCode: 137 });
  expect(await own.output(uuid)).toMatch(/\[guestwire\] killed: it used \d+ MiB of memory, its limit is 50 MiB\n$/);
});

test("a canceled call does not end the job it started", async () => {
  const leaving = new AbortController();
  const channel = createClient(JobService, joblet.channel);
  const uuid = await run("sleep", "1000");
  const reading = channel.getJobLogs({ uuid }, { signal: leaving.signal });
  const next = reading.next();
  leaving.abort();
  await next.catch(RpcError.from);
  expect((await joblet.jobs.getJobStatus({ uuid })).status).toBe("RUNNING");
  await joblet.jobs.stopJob({ uuid });
});
