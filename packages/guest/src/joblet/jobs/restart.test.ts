import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { textFromDate } from "@guestwire/joblet";
import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";

const minute = 60_000;

function inMinutes(joblet: TestJoblet, minutes: number): string {
  return textFromDate(new Date(joblet.clock.now() + minutes * minute));
}

test("a scheduled job starts when it is due, with its secrets, which are nowhere from then on", async () => {
  await using joblet = await testJoblet();
  const { jobs } = joblet;
  const schedule = inMinutes(joblet, 2);
  const script = 'echo "$TOKEN"';
  const request = { command: "sh", args: ["-c", script], schedule, secretEnvironment: { TOKEN: "s3cret" } };
  const { jobUuid: uuid, status, scheduledTime } = await jobs.runJob(request);
  expect({ status, scheduledTime }).toEqual({ status: "SCHEDULED", scheduledTime: schedule });
  expect((await errorOf(jobs.stopJob({ uuid }))).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(jobs.deleteJob({ uuid }))).code).toBe(Code.FailedPrecondition);
  expect(await jobs.deleteAllJobs({})).toMatchObject({ deletedCount: 0, skippedCount: 1 });
  const secrets = join(joblet.path, "joblet/jobs", uuid, "secrets.json");
  expect((await stat(secrets)).mode & 0o777).toBe(0o600);

  const output = joblet.output(uuid);
  joblet.clock.moveMs += 2 * minute;
  expect(await output).toBe("s3cret\n");
  expect(await jobs.getJobStatus({ uuid })).toMatchObject({ status: "COMPLETED", scheduledTime: schedule });
  await expect(readFile(secrets)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a scheduled job can be canceled; its followers come to the end", async () => {
  await using joblet = await testJoblet();
  const { jobs } = joblet;
  const { jobUuid: uuid } = await jobs.runJob({ command: "true", schedule: inMinutes(joblet, 5) });
  const output = joblet.output(uuid);
  expect(await jobs.cancelJob({ uuid })).toMatchObject({ uuid, status: "CANCELED" });
  expect(await output).toBe("");
  expect(await jobs.getJobStatus({ uuid })).toMatchObject({ status: "CANCELED", startTime: "" });
  expect((await errorOf(jobs.cancelJob({ uuid }))).code).toBe(Code.FailedPrecondition);
  joblet.clock.moveMs += 10 * minute;
  await jobs.deleteJob({ uuid });
});

test("after a restart jobs that are over are as they were, output and measurements included", async () => {
  await using joblet = await testJoblet();
  const { jobUuid: uuid } = await joblet.jobs.runJob({ command: "echo", args: ["kept"], environment: { A: "1" } });
  const before = await joblet.over(uuid);
  await joblet.restart();
  expect(await joblet.jobs.getJobStatus({ uuid })).toEqual(before);
  expect(await joblet.output(uuid)).toBe("kept\n");
  expect(await joblet.jobs.streamJobMetrics({ jobUuid: uuid }).next()).toMatchObject({ value: { jobUuid: uuid } });
  await joblet.jobs.deleteJob({ uuid });
  expect(await readdir(join(joblet.path, "joblet/jobs"))).toEqual([]);
});

test("a guest that closes stops its jobs and says so", async () => {
  await using joblet = await testJoblet();
  const { jobUuid: uuid } = await joblet.jobs.runJob({ command: "sleep", args: ["1000"] });
  const output = joblet.output(uuid);
  await joblet.restart();
  const said = "[guestwire] stopped: the guest was shut down\n";
  expect(await output).toBe(said);
  expect(await joblet.output(uuid)).toBe(said);
  expect(await joblet.jobs.getJobStatus({ uuid })).toMatchObject({ status: "STOPPED" });
});

test("a job that ran when the guest was killed is FAILED and says why", async () => {
  await using joblet = await testJoblet();
  const { jobUuid: uuid } = await joblet.jobs.runJob({ command: "sh", args: ["-c", "echo begun; sleep 1000"] });
  for await (const { payload } of joblet.jobs.getJobLogs({ uuid })) if (payload.length > 0) break;
  // What the killed guest leaves is what is on disk now: the job is RUNNING there.
  const folder = join(joblet.path, "joblet/jobs", uuid);
  const path = join(folder, "job.json");
  const content = JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), status: "RUNNING" });
  await joblet.restart({ killedWith: { path, content } });
  const status = await joblet.jobs.getJobStatus({ uuid });
  expect(status).toMatchObject({ status: "FAILED", exitCode: -1 });
  expect(status.endTime).not.toBe("");
  expect(await joblet.output(uuid)).toMatch(/^begun\n(.*\n)*\[guestwire\] the guest ended while the job ran\n$/);
});

test("scheduled jobs survive a restart; overdue ones start at once; their followers are told that the guest is gone", async () => {
  await using joblet = await testJoblet({ keepaliveMs: 5 });
  const { jobUuid: soon } = await joblet.jobs.runJob({ command: "echo", args: ["1"], schedule: inMinutes(joblet, 2) });
  const { jobUuid: later } = await joblet.jobs.runJob({
    command: "echo",
    args: ["2"],
    schedule: inMinutes(joblet, 60),
  });
  const logs = joblet.jobs.getJobLogs({ uuid: soon });
  await logs.next();
  const ended = (async () => {
    for await (const { payload } of logs) expect(payload).toHaveLength(0);
  })().catch(RpcError.from);
  await joblet.restart();
  expect(await ended).toMatchObject({ code: Code.Unavailable });
  expect((await joblet.jobs.getJobStatus({ uuid: soon })).status).toBe("SCHEDULED");
  joblet.clock.moveMs += 10 * minute;
  await joblet.restart();
  expect(await joblet.output(soon)).toBe("1\n");
  expect((await joblet.jobs.getJobStatus({ uuid: later })).status).toBe("SCHEDULED");
  await joblet.jobs.cancelJob({ uuid: later });
});
