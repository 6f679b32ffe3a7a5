// All jobs of a guest: made, found, started when they may, deleted. Found again after a restart.
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Code, type RpcError } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { exists, failure, missing, textOf, wrongState } from "../../errors.js";
import { buryTree } from "../../files/remove-tree.js";
import { mostJobs } from "../limits.js";
import type { JobUsage } from "../seams.js";
import { type Condition, evaluate, jobsOf } from "../workflows/condition.js";
import { Job, type JobHost } from "./job.js";
import { jobPaths, makeJobFolder } from "./job-folder.js";
import type { KeptBytes } from "./job-logs.js";
import { type JobRecord, readJobRecord } from "./job-record.js";
import type { CheckedJob, Lookups } from "./run-request.js";
import type { Sampler } from "./sampler.js";
import { whenDue } from "./schedule.js";

/** What a store is made of. */
export interface JobStoreOptions {
  /** The folder of all jobs; it exists. */
  readonly folder: string;
  /** For drafts, on the same file system. */
  readonly scratch: string;
  /** The state folder's. */
  readonly token: string;
  readonly clock: GuestClock;
  readonly lookups: Lookups;
  readonly sampler: Sampler;
  readonly kept: KeptBytes;
  readonly scheduleLookMs: number;
  /** Jobs at a time. Default 10,000. */
  readonly mostJobs?: number;
}

/** How a new job stands to others. */
export interface JobPlace {
  /** Default a new one. */
  readonly uuid?: string;
  /** UUID of its workflow. */
  readonly workflow?: string;
  /** What must be true first, with jobs by their UUIDs. */
  readonly condition?: Condition;
}

/** The jobs of one guest. */
export class JobStore {
  readonly #jobs = new Map<string, Job>();
  readonly #options: JobStoreOptions;
  readonly #host: JobHost;
  /** Jobs that are being made: whatever they wait for, they must not begin before they are there as a whole. */
  readonly #held = new Set<Job>();
  readonly #alarms = new Map<string, { cancel(): void }>();
  /** A job was deleted. */
  onDelete: (record: JobRecord) => Promise<void> = async () => {};
  #closed = false;

  private constructor(options: JobStoreOptions) {
    this.#options = options;
    this.#host = { ...options, ended: (job) => this.#ended(job) };
  }

  /** Opens the store with the jobs that are there. Nothing starts before {@link JobStore.resume}. */
  static async open(options: JobStoreOptions): Promise<JobStore> {
    const store = new JobStore(options);
    for (const name of await readdir(options.folder)) {
      const paths = jobPaths(join(options.folder, name));
      const record = await readJobRecord(paths.record);
      // A folder without a record is no job; it stays where it is for people to look at.
      if (record?.uuid === name) store.#jobs.set(name, new Job(record, paths, store.#host));
    }
    return store;
  }

  /** All jobs in the order of their creation. */
  get all(): Job[] {
    return [...this.#jobs.values()].sort((a, b) => a.record.createdAt - b.record.createdAt);
  }

  /** What jobs use. */
  get usage(): JobUsage {
    const count = (uses: (record: JobRecord) => boolean): number => {
      let found = 0;
      for (const job of this.#jobs.values()) if (job.outcome === undefined && uses(job.record)) found++;
      return found;
    };
    return {
      ofNetwork: (name) => count((record) => record.network === name),
      ofVolume: (name) => count((record) => record.volumes.includes(name)),
      ofRuntime: (name) => count((record) => record.runtime === name),
    };
  }

  /** Goes on with what an earlier guest left: jobs that ran are lost, those that wait go on waiting. */
  async resume(): Promise<void> {
    for (const job of this.all) {
      const { status } = job.record;
      if (job.waits && status !== "PENDING" && status !== "SCHEDULED") await job.lost();
    }
    for (const job of this.all) if (job.waits) this.#advance(job);
  }

  /** A job by its whole UUID. */
  get(uuid: string): Job | undefined {
    return this.#jobs.get(uuid);
  }

  /**
   * A job by its UUID or a prefix that only one job has.
   *
   * @throws {RpcError} Code.NotFound when there is none or more than one.
   */
  find(name: string): Job {
    const prefix = name.toLowerCase();
    const exact = this.#jobs.get(prefix);
    if (exact !== undefined) return exact;
    const found = prefix === "" ? [] : [...this.#jobs.values()].filter(({ record }) => record.uuid.startsWith(prefix));
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    throw missing("job", name, found.length > 1 ? `${found.length} jobs begin with that` : "there is none");
  }

  /**
   * Makes a job, which waits for {@link JobStore.start} or {@link JobStore.launch}. It is in the list before this returns to the event loop, so that
   * what it uses cannot be removed meanwhile.
   *
   * @throws {RpcError} Code.AlreadyExists for a UUID in use; Code.ResourceExhausted when there are too many jobs;
   * Code.Unavailable when it cannot be kept or the guest shuts down.
   */
  async create(checked: CheckedJob, place: JobPlace = {}): Promise<Job> {
    this.refuseWhenClosed();
    const { folder, scratch } = this.#options;
    const most = this.#options.mostJobs ?? mostJobs;
    if (this.#jobs.size >= most) {
      throw failure(Code.ResourceExhausted, `there are ${most} jobs; delete some that are over`);
    }
    const record = newRecord(checked, place, this.#options.clock.now());
    if (this.#jobs.has(record.uuid)) throw exists("job", record.uuid, "the UUID is in use");
    const job = new Job(record, jobPaths(join(folder, record.uuid)), this.#host);
    this.#jobs.set(record.uuid, job);
    this.#held.add(job);
    const secrets = checked.spec.secretEnvironment;
    try {
      await makeJobFolder(folder, scratch, { record, secrets, uploads: checked.uploads, volumes: checked.volumes });
    } catch (error) {
      this.#jobs.delete(record.uuid);
      this.#held.delete(job);
      throw failure(Code.Unavailable, `the job cannot be kept: ${textOf(error)}`, error);
    }
    return job;
  }

  /**
   * Starts a new job if nothing is in its way; otherwise it waits.
   *
   * @throws {RpcError} Code.Internal when it cannot be started. It is gone then, as nobody knows its UUID.
   */
  async start(job: Job): Promise<void> {
    this.#held.delete(job);
    this.refuseWhenClosed();
    try {
      await this.#advance(job, true);
    } catch (error) {
      await this.delete(job);
      throw error;
    }
  }

  /** Lets a new job of a workflow begin as soon as it may. */
  launch(job: Job): void {
    this.#held.delete(job);
    this.#advance(job);
  }

  /** Gives up jobs of which nobody was told. */
  async forget(jobs: readonly Job[]): Promise<void> {
    // The end of one may cancel another.
    for (const job of jobs) await (job.waits ? job.cancel() : job.over);
    for (const job of jobs) {
      this.#held.delete(job);
      await this.delete(job);
    }
  }

  /**
   * Deletes a job that is over, with all that is kept of it.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is not over, or another job waits for it.
   */
  async delete(job: Job): Promise<void> {
    const { uuid, status } = job.record;
    if (job.outcome === undefined) throw wrongState(job.subject, `the job is ${status}`);
    const waiting = this.#waitingFor(uuid)[0];
    if (waiting !== undefined) throw wrongState(job.subject, `the job ${waiting.record.uuid} waits for it`);
    if (this.#jobs.get(uuid) !== job) throw missing("job", uuid, "there is none");
    this.#jobs.delete(uuid);
    await job.over;
    try {
      await buryTree(job.paths.folder, this.#options.scratch);
    } catch (error) {
      throw failure(Code.Internal, `${job.subject}: ${textOf(error)}`, error);
    }
    await this.onDelete(job.record);
  }

  /** Whether {@link JobStore.delete} would. */
  canDelete(job: Job): boolean {
    return job.outcome !== undefined && this.#waitingFor(job.record.uuid).length === 0;
  }

  /** @throws {RpcError} Code.Unavailable once the guest shuts down. */
  refuseWhenClosed(): void {
    if (this.#closed) throw shuttingDown();
  }

  /** Stops what runs; what waits goes on waiting in the next guest. Nothing starts any more. */
  async close(graceMs: number, hurry?: AbortSignal): Promise<void> {
    this.#closed = true;
    for (const alarm of this.#alarms.values()) alarm.cancel();
    this.#alarms.clear();
    const stopping = [...this.#jobs.values()].map(async (job) => {
      if (job.waits) return job.suspend(shuttingDown());
      if (job.outcome !== undefined) return job.saved();
      await job.stop(graceMs, "stopped: the guest was shut down", hurry).catch(() => {});
    });
    await Promise.all(stopping);
  }

  #advance(job: Job, told = false): Promise<void> | undefined {
    if (this.#closed || !job.waits || this.#held.has(job)) return undefined;
    const { condition, scheduledAt, uuid } = job.record;
    const may = condition === undefined || evaluate(condition, (other) => this.#outcome(other));
    if (may === undefined) job.wait("PENDING");
    else if (!may) void job.cancel("canceled: what it waited for cannot happen any more");
    else if (scheduledAt !== undefined && scheduledAt > this.#options.clock.now()) {
      job.wait("SCHEDULED");
      const { clock, scheduleLookMs } = this.#options;
      this.#alarms.set(
        uuid,
        whenDue(clock, scheduledAt, scheduleLookMs, () => this.#advance(job)),
      );
    } else {
      const started = job.start();
      if (told) return started;
      // It is FAILED, and its output says why.
      started.catch(() => {});
    }
    return undefined;
  }

  #outcome(uuid: string): ReturnType<Parameters<typeof evaluate>[1]> {
    const job = this.#jobs.get(uuid);
    return job === undefined ? "CANCELED" : job.outcome;
  }

  #waitingFor(uuid: string): Job[] {
    const waits = ({ waits, record }: Job): boolean => waits && record.dependencies.includes(uuid);
    return [...this.#jobs.values()].filter(waits);
  }

  #ended(job: Job): void {
    this.#alarms.get(job.record.uuid)?.cancel();
    this.#alarms.delete(job.record.uuid);
    for (const waiting of this.#waitingFor(job.record.uuid)) this.#advance(waiting);
  }
}

function newRecord(checked: CheckedJob, place: JobPlace, now: number): JobRecord {
  const { spec, scheduledAt } = checked;
  const { condition } = place;
  return {
    uuid: place.uuid ?? randomUUID(),
    name: spec.name,
    command: spec.command,
    args: spec.args,
    maxCpu: spec.maxCpu,
    cpuCores: spec.cpuCores,
    maxMemory: spec.maxMemory,
    maxIoBps: spec.maxIoBps,
    network: checked.network,
    volumes: [...checked.volumes.keys()],
    runtime: checked.runtime,
    workDir: spec.workDir,
    environment: spec.environment,
    secrets: Object.keys(spec.secretEnvironment),
    uploads: checked.uploads.map(({ path }) => path),
    workflow: place.workflow ?? "",
    dependencies: condition === undefined ? [] : jobsOf(condition),
    ...(condition === undefined ? {} : { condition }),
    createdAt: now,
    ...(scheduledAt === undefined ? {} : { scheduledAt }),
    status: condition === undefined ? (scheduledAt === undefined ? "INITIALIZING" : "SCHEDULED") : "PENDING",
    exitCode: 0,
  };
}

function shuttingDown(): RpcError {
  return failure(Code.Unavailable, "the guest is shutting down");
}
