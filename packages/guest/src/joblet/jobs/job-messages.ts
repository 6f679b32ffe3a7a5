// Jobs as the messages of the protocol. Knows no call.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GetJobStatusResponseSchema, JobSchema, RunJobResponseSchema } from "@guestwire/joblet";
import type { JobRecord } from "./job-record.js";

/** A job in full. */
export function statusMessage(record: JobRecord, nodeId: string): MessageInitShape<typeof GetJobStatusResponseSchema> {
  return {
    ...commonParts(record, nodeId),
    network: record.network,
    volumes: [...record.volumes],
    workDir: record.workDir,
    uploads: [...record.uploads],
    dependencies: [...record.dependencies],
    workflowUuid: record.workflow,
  };
}

/** A job in a list. */
export function listMessage(record: JobRecord, nodeId: string): MessageInitShape<typeof JobSchema> {
  return commonParts(record, nodeId);
}

/** A job that was just started, with what old clients want to know. */
export function startedMessage(record: JobRecord): MessageInitShape<typeof RunJobResponseSchema> {
  return {
    jobUuid: record.uuid,
    status: record.status,
    command: record.command,
    args: [...record.args],
    maxCpu: record.maxCpu,
    cpuCores: record.cpuCores,
    maxMemory: record.maxMemory,
    maxIoBps: record.maxIoBps,
    startTime: timeText(record.startedAt),
    scheduledTime: timeText(record.scheduledAt),
  };
}

/** RFC 3339; empty for a time that has not come. */
export function timeText(at: number | undefined): string {
  return at === undefined ? "" : new Date(at).toISOString();
}

function commonParts(record: JobRecord, nodeId: string) {
  return {
    uuid: record.uuid,
    name: record.name,
    command: record.command,
    args: [...record.args],
    maxCpu: record.maxCpu,
    cpuCores: record.cpuCores,
    maxMemory: record.maxMemory,
    maxIoBps: record.maxIoBps,
    status: record.status,
    startTime: timeText(record.startedAt),
    endTime: timeText(record.endedAt),
    exitCode: record.exitCode,
    scheduledTime: timeText(record.scheduledAt),
    runtime: record.runtime,
    environment: record.environment,
    secretEnvironment: Object.fromEntries(record.secrets.map((name) => [name, "***"])),
    nodeId,
  };
}
