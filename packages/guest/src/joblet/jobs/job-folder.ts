// A job's folder: its record, its secrets while they are needed, its files, its output. Knows no process.
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { FileUpload } from "@guestwire/joblet";
import { isSystemError } from "../../errors.js";
import { writeWhole } from "../../state/state-folder.js";
import { type JobRecord, writeJobRecord } from "./job-record.js";
import { writeUploads } from "./uploads.js";

/** Where the parts of a job are. */
export interface JobPaths {
  readonly folder: string;
  readonly record: string;
  readonly secrets: string;
  /** What the job sees as its own: uploads, and volumes under `volumes/`. */
  readonly files: string;
}

/** What a new job's folder is made of. */
export interface JobContent {
  readonly record: JobRecord;
  readonly secrets: Readonly<Record<string, string>>;
  readonly uploads: readonly FileUpload[];
  /** Folders of the volumes by their names. */
  readonly volumes: ReadonlyMap<string, string>;
}

/** The paths of a job's parts. */
export function jobPaths(folder: string): JobPaths {
  return {
    folder,
    record: join(folder, "job.json"),
    secrets: join(folder, "secrets.json"),
    files: join(folder, "work"),
  };
}

/**
 * Makes a job's folder, as a whole or not at all.
 *
 * @param jobs The folder of all jobs.
 * @param scratch Where it is made first, on the same file system.
 * @throws the system's error.
 */
export async function makeJobFolder(jobs: string, scratch: string, content: JobContent): Promise<JobPaths> {
  const draft = jobPaths(await mkdtemp(join(scratch, "job-")));
  try {
    await mkdir(draft.files, { mode: 0o750 });
    if (content.volumes.size > 0) {
      await mkdir(join(draft.files, "volumes"), { mode: 0o750 });
      for (const [name, folder] of content.volumes) await symlink(folder, join(draft.files, "volumes", name));
    }
    await writeUploads(draft.files, content.uploads);
    if (content.record.secrets.length > 0) await writeWhole(draft.secrets, JSON.stringify(content.secrets));
    await writeJobRecord(draft.record, content.record);
    const paths = jobPaths(join(jobs, content.record.uuid));
    await rename(draft.folder, paths.folder);
    return paths;
  } catch (error) {
    await rm(draft.folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Takes the secrets of a job that starts: afterwards they are nowhere on disk.
 *
 * @throws the system's error.
 */
export async function takeSecrets(paths: JobPaths): Promise<Record<string, string>> {
  try {
    const secrets = JSON.parse(await readFile(paths.secrets, "utf8")) as Record<string, string>;
    await rm(paths.secrets, { force: true });
    return secrets;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return {};
    throw error;
  }
}
