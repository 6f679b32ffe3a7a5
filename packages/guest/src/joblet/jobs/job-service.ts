// Serves JobService on the guest's jobs and workflows.
import type { JobService } from "@guestwire/joblet";
import type { Handlers } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { invalid } from "../../errors.js";
import { dependencyNames, findPlace } from "../workflows/requirements.js";
import { createWorkflowHandlers } from "../workflows/workflow-service.js";
import type { WorkflowStore } from "../workflows/workflow-store.js";
import type { Job } from "./job.js";
import { listMessage, startedMessage, statusMessage, timeText } from "./job-messages.js";
import type { JobStore } from "./job-store.js";
import { checkKinds, checkRange, eventStream, metricsStream, wholeRange } from "./record-stream.js";
import { checkJob, type Lookups } from "./run-request.js";

/** What the service works on. */
export interface JobServiceOptions {
  readonly jobs: JobStore;
  readonly workflows: WorkflowStore;
  readonly lookups: Lookups;
  readonly clock: GuestClock;
  readonly nodeId: string;
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  readonly stopGraceMs: number;
  /** Silence in a stream of output before a keepalive, in milliseconds. */
  readonly keepaliveMs: number;
}

/** Makes the handlers. */
export function createJobService(options: JobServiceOptions): Handlers<typeof JobService> {
  const { jobs, workflows, lookups, clock, nodeId, stopGraceMs, keepaliveMs } = options;
  const now = (): number => clock.now();
  return {
    ...createWorkflowHandlers(options),
    async runJob(request) {
      jobs.refuseWhenClosed();
      const checked = checkJob(request, lookups, clock);
      const found = findPlace(request, jobs, workflows);
      const job = await jobs.create(checked, found.place);
      const { uuid } = job.record;
      if (found.workflow !== undefined) {
        const entry = { name: request.name || uuid, uuid, dependencies: dependencyNames(found) };
        try {
          await workflows.addEntry(found.workflow.uuid, entry);
        } catch (error) {
          await jobs.forget([job]);
          throw error;
        }
      }
      await jobs.start(job);
      return startedMessage(job.record);
    },
    getJobStatus: ({ uuid }) => statusMessage(find(jobs, "uuid", uuid).record, nodeId),
    listJobs: () => ({ jobs: jobs.all.map(({ record }) => listMessage(record, nodeId)) }),
    async stopJob({ uuid }) {
      const job = find(jobs, "uuid", uuid);
      await job.stop(stopGraceMs);
      const { status, endedAt, exitCode } = job.record;
      return { uuid: job.record.uuid, status, endTime: timeText(endedAt), exitCode };
    },
    async cancelJob({ uuid }) {
      const job = find(jobs, "uuid", uuid);
      await job.cancel();
      return { uuid: job.record.uuid, status: job.record.status };
    },
    async deleteJob({ uuid }) {
      const job = find(jobs, "uuid", uuid);
      await jobs.delete(job);
      return { uuid: job.record.uuid, success: true, message: "the job was deleted" };
    },
    async deleteAllJobs() {
      const over = jobs.all.filter((job) => jobs.canDelete(job));
      const skippedCount = jobs.all.length - over.length;
      await Promise.all(over.map((job) => jobs.delete(job)));
      const message = `${over.length} jobs were deleted, ${skippedCount} left`;
      return { success: true, message, deletedCount: over.length, skippedCount };
    },
    async *getJobLogs({ uuid }, { signal }) {
      const { output } = await find(jobs, "uuid", uuid).logs();
      for await (const payload of output.read({ signal, idleMs: keepaliveMs })) yield { payload };
    },
    async *streamJobMetrics({ jobUuid }, { signal }) {
      const job = find(jobs, "job_uuid", jobUuid);
      yield* metricsStream((await job.logs()).metrics, job.record.uuid, wholeRange, now, signal);
    },
    async *getJobMetrics(request, { signal }) {
      checkRange(request);
      const job = find(jobs, "job_uuid", request.jobUuid);
      yield* metricsStream((await job.logs()).metrics, job.record.uuid, request, now, signal);
    },
    async *streamJobTelematics({ jobUuid, types }, { signal }) {
      checkKinds(types);
      const job = find(jobs, "job_uuid", jobUuid);
      yield* eventStream((await job.logs()).events, job.record.uuid, types, wholeRange, now, signal);
    },
    async *getJobTelematics(request, { signal }) {
      checkRange(request);
      checkKinds(request.types);
      const job = find(jobs, "job_uuid", request.jobUuid);
      yield* eventStream((await job.logs()).events, job.record.uuid, request.types, request, now, signal);
    },
  };
}

/** An empty name would be a prefix of every job's: it must never mean the only one. */
function find(jobs: JobStore, field: string, uuid: string): Job {
  if (uuid === "") throw invalid(field, "must not be empty");
  return jobs.find(uuid);
}
