import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { testJoblet } from "../joblet.test.support.js";
import type { JobStore } from "../jobs/job-store.js";
import { expressionLength, mostRequirements, workflowBytes } from "../limits.js";
import { WorkflowStore } from "./workflow-store.js";

test("workflows whose clients never sent a job make room for others", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-workflows-"));
  try {
    const store = await WorkflowStore.open(folder, { get: () => undefined } as unknown as JobStore, 2);
    const add = async (createdAt: number, job: string): Promise<string> => {
      const uuid = randomUUID();
      const jobs = [{ name: "a", uuid: job, dependencies: [] }];
      await store.add({ uuid, workflow: "", yaml: "", totalJobs: 2, createdAt, jobs });
      return uuid;
    };
    const used = await add(1, randomUUID());
    const idle = await add(2, "");
    const third = await add(3, randomUUID());
    expect(store.all.map(({ uuid }) => uuid)).toEqual([used, third]);
    expect((await readdir(folder)).includes(`${idle}.json`)).toBe(false);
    expect((await errorOf(add(4, ""))).code).toBe(Code.ResourceExhausted);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("what takes long to read is refused by its length", async () => {
  await using joblet = await testJoblet();
  const job = "jobs: { a: { command: 'true' } }\n";
  const padded = (bytes: number): string => `${job}#${"x".repeat(bytes - job.length - 1)}`;
  const tooLong = await errorOf(joblet.jobs.runWorkflow({ yamlContent: padded(workflowBytes + 1) }));
  expect([tooLong.code, tooLong.rawMessage]).toEqual([Code.InvalidArgument, expect.stringContaining("yaml_content")]);
  const { workflowUuid } = await joblet.jobs.runWorkflow({ yamlContent: padded(workflowBytes) });
  const { jobs } = await joblet.jobs.getWorkflowJobs({ workflowUuid });
  const jobUuid = jobs[0]?.jobUuid as string;
  const run = (requirements: { jobUuid?: string; expression?: string }[]) =>
    joblet.jobs.runJob({ command: "true", requirements });
  const expression = (length: number) => [{ expression: `${jobUuid}=COMPLETED`.padEnd(length) }];
  const requirements = (count: number) => Array.from({ length: count }, () => ({ jobUuid }));
  for (const refused of [expression(expressionLength + 1), requirements(mostRequirements + 1)]) {
    const error = await errorOf(run(refused));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(/^requirements/)]);
  }
  for (const taken of [expression(expressionLength), requirements(mostRequirements)]) await run(taken);
});
