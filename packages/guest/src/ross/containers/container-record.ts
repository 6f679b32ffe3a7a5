// What is remembered of a container: kept as JSON, read again after a restart. Knows no process.
import { readFile } from "node:fs/promises";
import type { JsonValue } from "@bufbuild/protobuf";

/** A container as it was made and as it ended. JSON. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  /** The image as the caller named it, and its id. */
  readonly image: string;
  readonly imageId: string;
  /** In milliseconds since 1970. */
  readonly createdAt: number;
  /** The request's parts in protobuf's JSON form. */
  readonly config: JsonValue;
  readonly hostConfig: JsonValue;
  readonly networkingConfig: JsonValue;
  /** Image and request together: what to run. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly stopSignal: number;
  /** In seconds. */
  readonly stopTimeout: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly autoRemove: boolean;
  readonly restart: { readonly policy: RestartPolicyName; readonly maximum: number };
  /** When it was last started and when it last ended, as `createdAt`; 0 for never. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** Why it could not be started, or how its end was missed. */
  readonly error: string;
  readonly restartCount: number;
}

/** What happens when the process ends by itself. */
export type RestartPolicyName = "no" | "always" | "unless-stopped" | "on-failure";

/** Reads a record. @returns `undefined` where there is none that can be read. */
export async function readContainerRecord(path: string): Promise<ContainerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as ContainerRecord;
    return typeof record.id === "string" && Array.isArray(record.args) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The record of a container that ran when its guest ended without a word. */
export function afterCrash(record: ContainerRecord, now: number): ContainerRecord {
  if (record.startedAt <= record.finishedAt) return record;
  // 137 as what it left running was killed when the guest began anew.
  return { ...record, finishedAt: now, exitCode: 137, error: "the guest ended while the container ran" };
}
