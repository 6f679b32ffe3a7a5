// What is remembered of a job: kept as JSON in its folder, read again after a restart. Knows no process.
import { readFile } from "node:fs/promises";
import { isJobStatus, type JobStatus } from "@guestwire/joblet";
import { writeWhole } from "../../state/state-folder.js";
import type { Condition } from "../workflows/condition.js";

/** A job as it was asked for, and how far it came. JSON. */
export interface JobRecord {
  readonly uuid: string;
  /** Empty for none. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Percent of a core; 0 for no limit. */
  readonly maxCpu: number;
  /** As asked for; empty for all. */
  readonly cpuCores: string;
  /** MiB; 0 for no limit. */
  readonly maxMemory: number;
  /** Bytes per second; 0 for no limit. */
  readonly maxIoBps: number;
  readonly network: string;
  readonly volumes: readonly string[];
  /** The runtime's own name; empty for none. */
  readonly runtime: string;
  /** As asked for. */
  readonly workDir: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of the secret variables. Their values lie in a file of their own, and only until the job starts. */
  readonly secrets: readonly string[];
  /** Paths of the uploads. */
  readonly uploads: readonly string[];
  /** UUID of its workflow; empty for none. */
  readonly workflow: string;
  /** UUIDs of the jobs that it waits for. */
  readonly dependencies: readonly string[];
  /** What must be true before it may start. */
  readonly condition?: Condition;
  /** In milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  readonly scheduledAt?: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly status: JobStatus;
  /** 0 also while there is none. */
  readonly exitCode: number;
  /** Why it ended as it did, where its program does not tell. */
  readonly reason?: string;
}

/** Reads a record. @returns `undefined` where there is none that can be read. */
export async function readJobRecord(path: string): Promise<JobRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as JobRecord;
    const whole = [record.uuid, record.command, record.status, record.network].every(
      (part) => typeof part === "string",
    );
    return whole && isJobStatus(record.status) && Array.isArray(record.volumes) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a record anew. */
export async function writeJobRecord(path: string, record: JobRecord): Promise<void> {
  await writeWhole(path, `${JSON.stringify(record, undefined, 2)}\n`);
}
