import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { GetWorkflowStatusResponse } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";

let joblet: TestJoblet;

beforeAll(async () => {
  joblet = await testJoblet();
});

afterAll(() => joblet[Symbol.asyncDispose]());

/** Follows all jobs of a workflow to their ends. */
async function over(workflowUuid: string, own = joblet): Promise<GetWorkflowStatusResponse> {
  const { jobs } = await own.jobs.getWorkflowJobs({ workflowUuid });
  for (const { jobUuid } of jobs) await own.over(jobUuid);
  return own.jobs.getWorkflowStatus({ workflowUuid });
}

const statuses = ({ jobs }: GetWorkflowStatusResponse): Record<string, string> =>
  Object.fromEntries(jobs.map(({ jobName, status }) => [jobName, status]));

test("jobs of a workflow run in the order of what they wait for, with their files", async () => {
  const yamlContent = `
jobs:
  report:
    command: sh
    args: ["-c", "test -s a.txt && echo report"]
    uploads:
      files: [a.txt]
    requires:
      - build: COMPLETED
      - test: COMPLETED
  build:
    command: sh
    args: ["-c", "echo $MODE $TOKEN"]
    environment: { MODE: fast, LEVEL: 3 }
    secret_environment: { TOKEN: t }
    resources: { max_memory: 1000, max_cpu: 50 }
  test:
    command: "true"
    requires:
      - build: COMPLETED
`;
  const workflowFiles = [{ path: "a.txt", content: Buffer.from("x"), mode: 0o644 }];
  const request = { workflow: "ci.yaml", yamlContent, workflowFiles, totalJobs: 3, jobOrder: ["build", "test"] };
  const started = await joblet.jobs.runWorkflow(request);
  expect(["PENDING", "RUNNING"]).toContain(started.status);
  const found = await over(started.workflowUuid);
  expect(found.jobs.map(({ jobName }) => jobName)).toEqual(["build", "test", "report"]);
  expect(statuses(found)).toEqual({ build: "COMPLETED", test: "COMPLETED", report: "COMPLETED" });
  expect(found.jobs[2]?.dependencies).toEqual(["build", "test"]);
  expect(found.workflow).toMatchObject({
    uuid: started.workflowUuid,
    workflow: "ci.yaml",
    status: "COMPLETED",
    totalJobs: 3,
    completedJobs: 3,
    failedJobs: 0,
    canceledJobs: 0,
    yamlContent,
  });
  const [build, , report] = found.jobs;
  expect(Number(report?.startTime?.seconds)).toBeGreaterThanOrEqual(Number(build?.endTime?.seconds));
  expect(found.workflow?.completedAt).toEqual(report?.endTime);
  const job = await joblet.jobs.getJobStatus({ uuid: build?.jobUuid ?? "" });
  expect(job).toMatchObject({ workflowUuid: started.workflowUuid, name: "build", maxMemory: 1000, maxCpu: 50 });
  expect(job.environment).toEqual({ MODE: "fast", LEVEL: "3" });
  expect(await joblet.output(build?.jobUuid ?? "")).toBe("fast t\n");
  const { dependencies } = await joblet.jobs.getJobStatus({ uuid: report?.jobUuid ?? "" });
  expect(dependencies).toEqual([build?.jobUuid, found.jobs[1]?.jobUuid]);
});

test("a failure is passed on: what can no longer happen is canceled, what waits for the failure runs", async () => {
  const yamlContent = `
jobs:
  build: { command: "false" }
  test: { command: "true", requires: [{ build: COMPLETED }] }
  deploy: { command: "true", requires: [{ test: COMPLETED }] }
  alarm: { command: echo, args: [alarm], requires: [{ build: FAILED }] }
  clean: { command: echo, args: [clean], requires: ["build=FINISHED AND alarm IN (COMPLETED, FAILED)"] }
  either: { command: "true", requires: [{ expression: "deploy=COMPLETED OR clean=COMPLETED" }] }
`;
  const { workflowUuid } = await joblet.jobs.runWorkflow({ workflow: "w", yamlContent });
  const found = await over(workflowUuid);
  expect(statuses(found)).toEqual({
    build: "FAILED",
    test: "CANCELED",
    deploy: "CANCELED",
    alarm: "COMPLETED",
    clean: "COMPLETED",
    either: "COMPLETED",
  });
  expect(found.workflow).toMatchObject({ status: "FAILED", completedJobs: 3, failedJobs: 1, canceledJobs: 2 });
  const test = found.jobs.find(({ jobName }) => jobName === "test")?.jobUuid ?? "";
  expect(await joblet.output(test)).toBe("[guestwire] canceled: what it waited for cannot happen any more\n");
});

test("a job that cannot be started fails its workflow and nothing else", async () => {
  const yamlContent = `
jobs:
  broken: { command: no-such-program }
  after: { command: "true", requires: [{ broken: FAILED }] }
`;
  const { workflowUuid } = await joblet.jobs.runWorkflow({ workflow: "w", yamlContent });
  const found = await over(workflowUuid);
  expect(statuses(found)).toEqual({ broken: "FAILED", after: "COMPLETED" });
  expect(await joblet.output(found.jobs[0]?.jobUuid ?? "")).toContain('command "no-such-program": not found');
});

test("branches that were not taken are no fault; a canceled job is", async () => {
  const branches = `
jobs:
  check: { command: "true" }
  repair: { command: "true", requires: [{ check: FAILED }] }
`;
  const taken = await joblet.jobs.runWorkflow({ workflow: "w", yamlContent: branches });
  expect((await over(taken.workflowUuid)).workflow?.status).toBe("COMPLETED");

  const waiting = `
jobs:
  first: { command: sleep, args: ["1000"] }
  second: { command: "true", requires: [{ first: FINISHED }] }
  third: { command: "true", requires: [{ second: COMPLETED }] }
`;
  const { workflowUuid } = await joblet.jobs.runWorkflow({ workflow: "w", yamlContent: waiting });
  const { jobs } = await joblet.jobs.getWorkflowJobs({ workflowUuid });
  const [first, second] = jobs.map(({ jobUuid }) => jobUuid) as [string, string];
  expect((await joblet.jobs.getJobStatus({ uuid: second })).status).toBe("PENDING");
  await joblet.jobs.cancelJob({ uuid: second });
  expect((await errorOf(joblet.jobs.deleteJob({ uuid: first }))).rawMessage).toMatch(
    /the job is (RUNNING|INITIALIZING)/,
  );
  await joblet.jobs.stopJob({ uuid: first });
  const found = await over(workflowUuid);
  expect(statuses(found)).toEqual({ first: "STOPPED", second: "CANCELED", third: "CANCELED" });
  expect(found.workflow?.status).toBe("STOPPED");
});

test("several workflows in one description: the named one runs", async () => {
  const yamlContent = `
workflows:
  one: { jobs: { a: { command: echo, args: [one] } } }
  two: { jobs: { b: { command: echo, args: [two] } } }
`;
  const { workflowUuid } = await joblet.jobs.runWorkflow({ workflow: "two", yamlContent });
  const { jobs } = await over(workflowUuid);
  expect(await joblet.output(jobs[0]?.jobUuid ?? "")).toBe("two\n");
  const error = await errorOf(joblet.jobs.runWorkflow({ workflow: "three", yamlContent }));
  expect(error.rawMessage).toContain('workflow: "three" is none of the workflows described: one, two');
});

test("a client can send the jobs of a workflow itself", async () => {
  const { jobs } = joblet;
  const { workflowUuid, status } = await jobs.runWorkflow({ workflow: "own", totalJobs: 2, jobOrder: ["a", "b"] });
  expect(status).toBe("PENDING");
  expect((await jobs.getWorkflowJobs({ workflowUuid })).jobs).toMatchObject([
    { jobName: "a", jobUuid: "" },
    { jobName: "b" },
  ]);
  const a = await jobs.runJob({ name: "a", command: "sleep", args: ["1000"], workflowUuid });
  const requirements = [{ jobUuid: a.jobUuid, status: "STOPPED" }, { expression: "a != COMPLETED" }];
  const b = await jobs.runJob({ name: "b", command: "echo", args: ["b"], workflowUuid, requirements });
  expect(b.status).toBe("PENDING");
  expect((await jobs.getWorkflowStatus({ workflowUuid })).workflow?.status).toBe("RUNNING");
  const again = await errorOf(jobs.runJob({ name: "a", command: "true", workflowUuid }));
  expect(again.code).toBe(Code.AlreadyExists);
  const unknown = await errorOf(jobs.runJob({ command: "true", workflowUuid, requirements: [{ jobUuid: "c" }] }));
  expect(unknown.code).toBe(Code.InvalidArgument);
  await jobs.stopJob({ uuid: a.jobUuid });
  const found = await over(workflowUuid);
  expect(found.jobs).toMatchObject([
    { jobUuid: a.jobUuid },
    { jobUuid: b.jobUuid, dependencies: ["a"], status: "COMPLETED" },
  ]);
  expect(found.workflow?.status).toBe("STOPPED");
  const late = await errorOf(jobs.runJob({ name: "c", command: "true", workflowUuid }));
  expect(late.code).toBe(Code.FailedPrecondition);
});

test("requirements work without a workflow; a job that others wait for cannot be deleted", async () => {
  const { jobs } = joblet;
  const first = await jobs.runJob({ command: "false" });
  await joblet.over(first.jobUuid);
  const done = await jobs.runJob({ command: "true", requirements: [{ jobUuid: first.jobUuid, status: "FAILED" }] });
  expect(await joblet.over(done.jobUuid)).toMatchObject({ status: "COMPLETED", dependencies: [first.jobUuid] });
  const never = await jobs.runJob({ command: "true", requirements: [{ jobUuid: first.jobUuid }] });
  expect(await joblet.over(never.jobUuid)).toMatchObject({ status: "CANCELED" });

  const long = await jobs.runJob({ command: "sleep", args: ["1000"] });
  const requirements = [{ expression: `${first.jobUuid}=FAILED AND ${long.jobUuid}=STOPPED` }];
  const both = await jobs.runJob({ command: "true", requirements });
  const error = await errorOf(jobs.deleteJob({ uuid: first.jobUuid }));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toContain(`the job ${both.jobUuid} waits for it`);
  await jobs.stopJob({ uuid: long.jobUuid });
  expect(await joblet.over(both.jobUuid)).toMatchObject({ status: "COMPLETED" });
});

test("workflows are listed, survive a restart, and are forgotten with the last of their jobs", async () => {
  await using own = await testJoblet();
  const yamlContent = `
jobs:
  done: { command: "true" }
  long: { command: sleep, args: ["1000"] }
  after: { command: echo, args: [after], requires: [{ long: STOPPED }, { done: COMPLETED }] }
`;
  const { workflowUuid } = await own.jobs.runWorkflow({ workflow: "w", yamlContent });
  const before = await own.jobs.getWorkflowStatus({ workflowUuid });
  await own.over(before.jobs[0]?.jobUuid ?? "");
  const running = (await own.jobs.listWorkflows({})).workflows;
  expect(running).toMatchObject([{ uuid: workflowUuid, status: "RUNNING", completedJobs: 1 }]);
  // Stops `long`; `after` waits, and runs in the next guest.
  await own.restart();
  const found = await over(workflowUuid, own);
  expect(statuses(found)).toEqual({ done: "COMPLETED", long: "STOPPED", after: "COMPLETED" });
  expect((await own.jobs.listWorkflows({})).workflows).toEqual([]);
  expect((await own.jobs.listWorkflows({ includeCompleted: true })).workflows).toHaveLength(1);

  const [done, long, after] = found.jobs.map(({ jobUuid }) => jobUuid) as [string, string, string];
  await own.jobs.deleteJob({ uuid: done });
  await own.jobs.deleteJob({ uuid: long });
  expect(statuses(await own.jobs.getWorkflowStatus({ workflowUuid }))).toEqual(statuses(found));
  await own.jobs.deleteJob({ uuid: after });
  expect((await errorOf(own.jobs.getWorkflowStatus({ workflowUuid }))).code).toBe(Code.NotFound);
  expect(await readdir(join(own.path, "joblet/workflows"))).toEqual([]);
});

describe("a bad workflow is InvalidArgument, names the place, and starts nothing", () => {
  const cases: [string, string][] = [
    ["yaml_content: must be a mapping", "jobs"],
    ["yaml_content: Flow map", "{"],
    ['yaml_content: has neither "jobs" nor "workflows"', "name: x"],
    ['yaml_content: there is no "job"; known are jobs', "job: {}"],
    ["yaml_content: jobs: has no jobs", "jobs: {}"],
    ["jobs.a.command: must not be empty", "jobs: { a: {} }"],
    ["jobs.a.command: must be a text", "jobs: { a: { command: [x] } }"],
    ['jobs.a: there is no "cmd"; known are command', "jobs: { a: { cmd: x } }"],
    ["jobs.a.resources.max_cpu: must be a whole number", "jobs: { a: { command: x, resources: { max_cpu: much } } }"],
    ["jobs.a.max_cpu: -1 is negative", "jobs: { a: { command: x, resources: { max_cpu: -1 } } }"],
    ["jobs.a.args: must be a list", "jobs: { a: { command: x, args: y } }"],
    [
      'jobs.a.uploads.files[0]: "f" is not among workflow_files',
      "jobs: { a: { command: x, uploads: { files: [f] } } }",
    ],
    ['jobs.a.volumes[0]: there is no volume "v"', "jobs: { a: { command: x, volumes: [v] } }"],
    ['jobs.a.requires: there is no job "b"', "jobs: { a: { command: x, requires: [{ b: COMPLETED }] } }"],
    ["jobs.a.requires: the job waits for itself", "jobs: { a: { command: x, requires: [a=FAILED] } }"],
    [
      'jobs.a.requires[0].b: "RUNNING" is no status',
      "jobs: { a: { command: x, requires: [{ b: RUNNING }] }, b: { command: x } }",
    ],
    ["jobs.a.requires[0].expression: it ends", 'jobs: { a: { command: x, requires: [{ expression: "b" }] } }'],
    [
      "yaml_content: jobs: these jobs wait for each other: b → c → d → b",
      `jobs:
        a: { command: x }
        b: { command: x, requires: [{ c: COMPLETED }, { a: COMPLETED }] }
        c: { command: x, requires: ["a=COMPLETED OR d=COMPLETED"] }
        d: { command: x, requires: [{ b: FAILED }] }
        e: { command: x, requires: [{ d: FAILED }] }`,
    ],
  ];
  test.each(cases)("%s", async (message, yamlContent) => {
    const before = (await joblet.jobs.listJobs({})).jobs.length;
    const error = await errorOf(joblet.jobs.runWorkflow({ workflow: "w", yamlContent }));
    expect(error.rawMessage).toContain(message);
    expect(error.code).toBe(Code.InvalidArgument);
    expect((await joblet.jobs.listJobs({})).jobs).toHaveLength(before);
  });

  test("without a description there must be jobs to come", async () => {
    expect((await errorOf(joblet.jobs.runWorkflow({ workflow: "w" }))).rawMessage).toContain("yaml_content: must not");
    const yamlContent = "jobs: { a: { command: x } }";
    const wrong = [
      [{ totalJobs: 2 }, "total_jobs: is 2, but 1 jobs are described"],
      [{ totalJobs: -1 }, "total_jobs: -1 is negative"],
      [{ jobOrder: ["b"] }, 'job_order[0]: there is no job "b"'],
      [{ jobOrder: ["a", "a"] }, 'job_order[1]: "a" comes twice'],
    ] as const;
    for (const [more, message] of wrong) {
      const request = { workflow: "w", yamlContent, ...more, jobOrder: [...("jobOrder" in more ? more.jobOrder : [])] };
      expect((await errorOf(joblet.jobs.runWorkflow(request))).rawMessage).toContain(message);
    }
  });

  test("unknown workflows are NotFound, no name is InvalidArgument", async () => {
    for (const call of [joblet.jobs.getWorkflowStatus, joblet.jobs.getWorkflowJobs]) {
      expect((await errorOf(call({ workflowUuid: "none" }))).code).toBe(Code.NotFound);
      expect((await errorOf(call({ workflowUuid: "" }))).code).toBe(Code.InvalidArgument);
    }
    expect((await errorOf(joblet.jobs.runJob({ command: "true", workflowUuid: "none" }))).code).toBe(Code.NotFound);
  });
});
