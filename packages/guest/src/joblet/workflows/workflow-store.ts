// All workflows of a guest; found again after a restart. A workflow is forgotten with the last of its jobs.
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { exists, failure, missing, textOf, wrongState } from "../../errors.js";
import { writeWhole } from "../../state/state-folder.js";
import type { JobRecord } from "../jobs/job-record.js";
import type { JobStore } from "../jobs/job-store.js";
import { mostWorkflows } from "../limits.js";
import { isOver, type OutcomeOf, type WorkflowEntry, type WorkflowRecord, workflowStatus } from "./workflow.js";

/** The workflows of one guest. */
export class WorkflowStore {
  readonly #workflows = new Map<string, WorkflowRecord>();
  readonly #folder: string;
  readonly #jobs: JobStore;
  readonly #most: number;
  #saving: Promise<void> = Promise.resolve();

  private constructor(folder: string, jobs: JobStore, most: number) {
    this.#folder = folder;
    this.#jobs = jobs;
    this.#most = most;
  }

  /** Opens the store with the workflows that are there. @param most At a time. Default 1,000. */
  static async open(folder: string, jobs: JobStore, most: number = mostWorkflows): Promise<WorkflowStore> {
    const store = new WorkflowStore(folder, jobs, most);
    for (const name of await readdir(folder)) {
      const record = await readRecord(join(folder, name));
      if (record !== undefined && name === `${record.uuid}.json`) store.#workflows.set(record.uuid, record);
    }
    jobs.onDelete = (record) => store.#jobDeleted(record);
    return store;
  }

  /** All workflows in the order of their creation. */
  get all(): WorkflowRecord[] {
    return [...this.#workflows.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** What is known of a job. */
  readonly outcomeOf: OutcomeOf = ({ uuid, outcome }) => outcome ?? this.#jobs.get(uuid)?.record;

  /** @throws {RpcError} Code.NotFound for an unknown UUID or a prefix that several have. */
  find(name: string): WorkflowRecord {
    const prefix = name.toLowerCase();
    const found = this.all.filter(({ uuid }) => prefix !== "" && uuid.startsWith(prefix));
    if (found[0] !== undefined && found.length === 1) return found[0];
    throw missing("workflow", name, found.length > 1 ? `${found.length} workflows begin with that` : "there is none");
  }

  /** @throws {RpcError} Code.ResourceExhausted when there are too many; Code.Unavailable when it cannot be kept. */
  async add(record: WorkflowRecord): Promise<void> {
    if (this.#workflows.size >= this.#most) await this.#forgetIdle();
    if (this.#workflows.size >= this.#most) {
      throw failure(Code.ResourceExhausted, `there are ${this.#most} workflows; delete jobs of some that are over`);
    }
    this.#workflows.set(record.uuid, record);
    try {
      await this.#save(record.uuid);
    } catch (error) {
      this.#workflows.delete(record.uuid);
      throw error;
    }
  }

  /**
   * Checks that a workflow can have another job of this name.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is over; Code.AlreadyExists when the name is in use.
   */
  refuseEntry(record: WorkflowRecord, name: string): void {
    if (isOver(workflowStatus(record, this.outcomeOf)))
      throw wrongState(`workflows/${record.uuid}`, "the workflow is over");
    if (record.jobs.some((entry) => entry.name === name && entry.uuid !== ""))
      throw exists("job of the workflow", name);
  }

  /**
   * Adds a job to a workflow, or fills the place that was kept for its name.
   *
   * @throws {RpcError} Code.AlreadyExists when another one was faster; Code.NotFound; Code.Unavailable when it cannot be kept.
   */
  async addEntry(uuid: string, entry: WorkflowEntry): Promise<void> {
    const record = this.find(uuid);
    const kept = record.jobs.findIndex(({ name }) => name === entry.name);
    if (kept >= 0 && record.jobs[kept]?.uuid !== "") throw exists("job of the workflow", entry.name);
    const jobs = kept < 0 ? [...record.jobs, entry] : record.jobs.with(kept, entry);
    this.#workflows.set(uuid, { ...record, jobs, totalJobs: Math.max(record.totalJobs, jobs.length) });
    await this.#save(uuid);
  }

  /** Makes room: forgets the oldest workflow that has no jobs, as its client never sent any; nobody could delete it. */
  async #forgetIdle(): Promise<void> {
    const idle = this.all.find(({ jobs }) => jobs.every(({ uuid, outcome }) => uuid === "" || outcome !== undefined));
    if (idle === undefined) return;
    this.#workflows.delete(idle.uuid);
    await rm(this.#path(idle.uuid), { force: true });
  }

  async #jobDeleted(job: JobRecord): Promise<void> {
    const record = this.#workflows.get(job.workflow);
    if (record === undefined) return;
    const { status, startedAt, endedAt, exitCode, reason } = job;
    const outcome = {
      status,
      exitCode,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(endedAt === undefined ? {} : { endedAt }),
      ...(reason === undefined ? {} : { reason }),
    };
    const jobs = record.jobs.map((entry) => (entry.uuid === job.uuid ? { ...entry, outcome } : entry));
    const allGone = jobs.every((entry) => entry.outcome !== undefined);
    if (allGone && jobs.length >= record.totalJobs) {
      this.#workflows.delete(record.uuid);
      await rm(this.#path(record.uuid), { force: true });
      return;
    }
    this.#workflows.set(record.uuid, { ...record, jobs });
    await this.#save(record.uuid);
  }

  #save(uuid: string): Promise<void> {
    // One after the other, each with what is newest by then.
    const saved = this.#saving.then(async () => {
      const record = this.#workflows.get(uuid);
      if (record !== undefined) await writeWhole(this.#path(uuid), `${JSON.stringify(record, undefined, 2)}\n`);
    });
    this.#saving = saved.catch(() => {});
    return saved.catch((error: unknown) => {
      throw failure(Code.Unavailable, `the workflow cannot be kept: ${textOf(error)}`, error);
    });
  }

  #path(uuid: string): string {
    return join(this.#folder, `${uuid}.json`);
  }
}

async function readRecord(path: string): Promise<WorkflowRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as WorkflowRecord;
    return typeof record.uuid === "string" && Array.isArray(record.jobs) ? record : undefined;
  } catch {
    return undefined;
  }
}
