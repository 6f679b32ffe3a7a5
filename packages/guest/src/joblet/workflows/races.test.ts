import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { testJoblet } from "../joblet.test.support.js";

test("of two jobs that claim one place of a workflow at once there is one", async () => {
  await using joblet = await testJoblet();
  const { workflowUuid } = await joblet.jobs.runWorkflow({ jobOrder: ["build"], totalJobs: 1 });
  const run = () => joblet.jobs.runJob({ name: "build", workflowUuid, command: "true" });
  const results = await Promise.allSettled([run(), run(), run()]);
  const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
  expect(refused).toEqual([Code.AlreadyExists, Code.AlreadyExists]);
  const { jobs } = await joblet.jobs.listJobs({});
  expect(jobs).toHaveLength(1);
  const { jobs: entries } = await joblet.jobs.getWorkflowJobs({ workflowUuid });
  expect(entries.map(({ jobUuid }) => jobUuid)).toEqual([jobs[0]?.uuid]);
});

test("a job does not begin before it is there as a whole, though what it waits for is over", async () => {
  await using joblet = await testJoblet();
  const { jobs } = joblet;
  const first = await jobs.runJob({ command: "sleep", args: ["1000"] });
  // They take longer to write than the first one to end.
  const uploads = Array.from({ length: 1000 }, (_, i) => ({ path: `${i}/file` }));
  const requirements = [{ jobUuid: first.jobUuid, status: "STOPPED" }];
  const running = jobs.runJob({ command: "sh", args: ["-c", "ls | wc -l"], uploads, requirements });
  await jobs.stopJob({ uuid: first.jobUuid });
  const { jobUuid } = await running;
  expect(await joblet.over(jobUuid)).toMatchObject({ status: "COMPLETED" });
  expect((await joblet.output(jobUuid)).trim()).toBe("1000");
});
