// The statuses of jobs, which are plain strings on the wire. Knows no call.

/** A job's status in the words of Joblet, newer servers included. */
export type JobStatus =
  | "PENDING"
  | "INITIALIZING"
  | "SCHEDULED"
  | "RUNNING"
  | "STOPPING"
  | "COMPLETED"
  | "FAILED"
  | "STOPPED"
  | "CANCELED"
  | "TIMEOUT";

/** A status that a job keeps for ever. */
export type FinalJobStatus = "COMPLETED" | "FAILED" | "STOPPED" | "CANCELED" | "TIMEOUT";

const finalStatuses: ReadonlySet<string> = new Set<FinalJobStatus>([
  "COMPLETED",
  "FAILED",
  "STOPPED",
  "CANCELED",
  "TIMEOUT",
]);
const otherStatuses: ReadonlySet<string> = new Set<JobStatus>([
  "PENDING",
  "INITIALIZING",
  "SCHEDULED",
  "RUNNING",
  "STOPPING",
]);

/** Whether a string is a status that is known here. A server that is newer may have others. */
export function isJobStatus(status: string): status is JobStatus {
  return finalStatuses.has(status) || otherStatuses.has(status);
}

/** Whether a job with this status is over. False for a status that is not known. */
export function isFinal(status: string): status is FinalJobStatus {
  return finalStatuses.has(status);
}
