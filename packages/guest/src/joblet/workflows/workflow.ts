// What is remembered of a workflow, and how it looks from outside. Knows no call and starts nothing.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate, type WorkflowInfoSchema, type WorkflowJobSchema } from "@guestwire/joblet";
import type { JobRecord } from "../jobs/job-record.js";

/** What a workflow shows of a job. JSON. */
export type JobOutcome = Pick<JobRecord, "status" | "startedAt" | "endedAt" | "exitCode" | "reason">;

/** A job of a workflow. JSON. */
export interface WorkflowEntry {
  readonly name: string;
  /** Empty before the job was made. */
  readonly uuid: string;
  /** Names of the jobs that it waits for. */
  readonly dependencies: readonly string[];
  /** Of a job that was deleted since. */
  readonly outcome?: JobOutcome;
}

/** A workflow. JSON. */
export interface WorkflowRecord {
  readonly uuid: string;
  /** As the client called it. */
  readonly workflow: string;
  readonly yaml: string;
  /** How many jobs it is to have; more than `jobs` while some were not made yet. */
  readonly totalJobs: number;
  /** In milliseconds since 1970. */
  readonly createdAt: number;
  readonly jobs: readonly WorkflowEntry[];
}

/** Finds what is known of a job of a workflow; `undefined` where it was not made yet. */
export type OutcomeOf = (entry: WorkflowEntry) => JobOutcome | undefined;

/**
 * The status of a workflow: PENDING before its first job started, RUNNING until all are over. Then FAILED or STOPPED where
 * a job was, CANCELED where somebody canceled one or none ran, else COMPLETED: jobs that were left out because their
 * condition did not come about are no fault.
 */
export function workflowStatus(record: WorkflowRecord, outcomeOf: OutcomeOf): string {
  const outcomes = record.jobs.map(outcomeOf);
  const has = (status: string): boolean => outcomes.some((outcome) => outcome?.status === status);
  if (outcomes.length < record.totalJobs || outcomes.some((outcome) => outcome?.endedAt === undefined)) {
    return outcomes.some((outcome) => outcome?.startedAt !== undefined) ? "RUNNING" : "PENDING";
  }
  if (has("FAILED")) return "FAILED";
  if (has("STOPPED")) return "STOPPED";
  const canceled = outcomes.some((outcome) => outcome?.status === "CANCELED" && outcome.reason === undefined);
  return canceled || !has("COMPLETED") ? "CANCELED" : "COMPLETED";
}

/** Whether a workflow is over. */
export function isOver(status: string): boolean {
  return status !== "PENDING" && status !== "RUNNING";
}

/** A workflow as a message. */
export function workflowMessage(
  record: WorkflowRecord,
  outcomeOf: OutcomeOf,
): MessageInitShape<typeof WorkflowInfoSchema> {
  const status = workflowStatus(record, outcomeOf);
  const outcomes = record.jobs.map(outcomeOf).filter((outcome) => outcome !== undefined);
  const count = (...statuses: string[]): number =>
    outcomes.filter((outcome) => statuses.includes(outcome.status)).length;
  const started = outcomes.flatMap(({ startedAt }) => startedAt ?? []);
  const ended = outcomes.flatMap(({ endedAt }) => endedAt ?? []);
  return {
    uuid: record.uuid,
    workflow: record.workflow,
    status,
    totalJobs: record.totalJobs,
    completedJobs: count("COMPLETED"),
    failedJobs: count("FAILED"),
    canceledJobs: count("CANCELED", "STOPPED"),
    createdAt: timestamp(record.createdAt),
    ...(started.length > 0 ? { startedAt: timestamp(Math.min(...started)) } : {}),
    ...(isOver(status) && ended.length > 0 ? { completedAt: timestamp(Math.max(...ended)) } : {}),
    yamlContent: record.yaml,
  };
}

/** A job of a workflow as a message. */
export function workflowJobMessage(
  entry: WorkflowEntry,
  outcome: JobOutcome | undefined,
): MessageInitShape<typeof WorkflowJobSchema> {
  return {
    jobUuid: entry.uuid,
    jobName: entry.name,
    status: outcome?.status ?? "PENDING",
    dependencies: [...entry.dependencies],
    ...(outcome?.startedAt === undefined ? {} : { startTime: timestamp(outcome.startedAt) }),
    ...(outcome?.endedAt === undefined ? {} : { endTime: timestamp(outcome.endedAt) }),
    exitCode: outcome?.exitCode ?? 0,
  };
}

function timestamp(at: number): { seconds: bigint; nanos: number } {
  return timestampFromDate(new Date(at));
}
