// One job: from the request to its end. Decides nothing about when it starts; that is the store's.
import type { FinalJobStatus, JobStatus } from "@guestwire/joblet";
import { isFinal } from "@guestwire/joblet";
import type { GuestClock } from "../../clock.js";
import { textOf, wrongState } from "../../errors.js";
import { GuestProcess } from "../../process/process.js";
import { killScope, newScope, signalScope } from "../../process/scope.js";
import { settledWithin } from "../../wait.js";
import type { JobPaths } from "./job-folder.js";
import { takeSecrets } from "./job-folder.js";
import { endJobLogs, type JobLogs, type KeptBytes, openJobLogs } from "./job-logs.js";
import { type JobRecord, writeJobRecord } from "./job-record.js";
import { launchSpec } from "./launch.js";
import type { Lookups } from "./run-request.js";
import type { Sampler } from "./sampler.js";

/** What all jobs of a guest share. */
export interface JobHost {
  readonly clock: GuestClock;
  /** The state folder's. */
  readonly token: string;
  readonly lookups: Lookups;
  readonly sampler: Sampler;
  readonly kept: KeptBytes;
  /** A job is over. */
  ended(job: Job): void;
}

interface End {
  readonly status: FinalJobStatus;
  readonly exitCode?: number;
  /** Told in the job's output. */
  readonly reason?: string;
}

/** A job of the guest. */
export class Job {
  readonly paths: JobPaths;
  readonly #host: JobHost;
  readonly #over = Promise.withResolvers<void>();
  #record: JobRecord;
  #logs: Promise<JobLogs> | undefined;
  #process: GuestProcess | undefined;
  #scope = "";
  /** Whether it was started, canceled or given up: none of these happens twice. */
  #claimed: boolean;
  /** How it is to end, whatever its program makes of that. */
  #verdict: End | undefined;
  /** Whether its end has no more time. */
  #hurried = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(record: JobRecord, paths: JobPaths, host: JobHost) {
    this.#record = record;
    this.paths = paths;
    this.#host = host;
    this.#claimed = isFinal(record.status);
    if (this.#claimed) this.#over.resolve();
  }

  get record(): JobRecord {
    return this.#record;
  }

  /** How errors name it. */
  get subject(): string {
    return `jobs/${this.#record.uuid}`;
  }

  /** The final status; `undefined` while it has none. */
  get outcome(): FinalJobStatus | undefined {
    return isFinal(this.#record.status) ? this.#record.status : undefined;
  }

  /** Whether it waits for its time or for other jobs. */
  get waits(): boolean {
    return !this.#claimed;
  }

  /** Resolves when the job is over and everything of it is kept. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Its logs, which can be read from then on. */
  logs(): Promise<JobLogs> {
    this.#logs ??= this.#openLogs().catch((error: unknown) => {
      // It may go well another time.
      this.#logs = undefined;
      throw error;
    });
    return this.#logs;
  }

  /** Says what it waits for. */
  wait(status: "PENDING" | "SCHEDULED"): void {
    if (this.#claimed || this.#record.status === status) return;
    this.#set({ status });
  }

  /**
   * Starts it; does nothing when it was claimed before.
   *
   * @throws {RpcError} Code.Internal when it cannot be started; it is FAILED then.
   */
  async start(): Promise<void> {
    if (this.#claimed) return;
    this.#claimed = true;
    this.#set({ status: "INITIALIZING" });
    const { uuid } = this.#record;
    try {
      const logs = await this.logs();
      const secrets = await takeSecrets(this.paths);
      const spec = await launchSpec(this.#record, this.paths, secrets, this.#host.lookups.runtimes);
      if (this.#verdict !== undefined) return await this.#finish(this.#verdict);
      this.#scope = newScope(this.#host.token, "job", uuid);
      const home = { subject: this.subject, scope: this.#scope, clock: this.#host.clock };
      const running = new GuestProcess(spec, home);
      const { output } = logs;
      running.stdout.subscribe({
        hasRoom: () => output.hasRoom,
        chunk: (data) => output.append(data),
        end: () => {},
      });
      output.onRoom = () => running.stdout.roomMade();
      await running.run(false);
      this.#process = running;
      this.#set({ status: "RUNNING", startedAt: this.#host.clock.now() });
      this.#host.sampler.add({
        uuid,
        pid: running.pid,
        scope: this.#scope,
        maxMemory: this.#record.maxMemory,
        logs,
        exceeded: (bytes) => this.#outOfMemory(bytes),
      });
      void this.#watch(running);
    } catch (error) {
      await this.#finish({ status: "FAILED", exitCode: -1, reason: textOf(error) });
      throw error;
    }
    // Somebody asked for its end while it was being started.
    if (this.#verdict !== undefined) this.#process.signal(this.#hurried ? 9 : 15);
  }

  /**
   * Stops it: SIGTERM, and SIGKILL after the grace. Resolves when it is over.
   *
   * @param reason Why, where nobody asked for it.
   * @param hurry Ends the grace early.
   * @throws {RpcError} Code.FailedPrecondition when it is not running.
   */
  async stop(graceMs: number, reason?: string, hurry?: AbortSignal): Promise<void> {
    if (!this.#claimed) throw wrongState(this.subject, `the job is ${this.#record.status}; it can be canceled`);
    if (this.outcome !== undefined) throw wrongState(this.subject, `the job is ${this.outcome}`);
    this.#verdict ??= { status: "STOPPED", ...(reason === undefined ? {} : { reason }) };
    this.#process?.signal(15);
    if (this.#record.status === "RUNNING") this.#set({ status: "STOPPING" });
    if (!(await settledWithin(this.over, graceMs, hurry))) {
      this.#hurried = true;
      if (this.#scope !== "") await killScope(this.#scope, this.#leaders);
      await this.over;
    }
  }

  /**
   * Gives it up before it ran. Resolves when it is over.
   *
   * @throws {RpcError} Code.FailedPrecondition when it does not wait.
   */
  async cancel(reason?: string): Promise<void> {
    if (this.#claimed) throw wrongState(this.subject, `the job is ${this.#record.status}, not scheduled or pending`);
    this.#claimed = true;
    await this.#finish({ status: "CANCELED", ...(reason === undefined ? {} : { reason }) });
  }

  /** What an earlier guest left: it ran, and nobody knows how it ended. */
  async lost(): Promise<void> {
    if (this.#claimed) return;
    this.#claimed = true;
    await this.#finish({ status: "FAILED", exitCode: -1, reason: "the guest ended while the job ran" });
  }

  /** Ends the streams of those who follow a job that waits; it goes on waiting in the next guest. */
  async suspend(error: Error): Promise<void> {
    this.#claimed = true;
    const logs = await this.#logs?.catch(() => undefined);
    if (logs !== undefined) await endJobLogs(logs, error);
    await this.saved();
  }

  /** Resolves when what is known of it is on disk. */
  async saved(): Promise<void> {
    await this.#saving;
  }

  /** A program may clear its environment, but not its session. */
  get #leaders(): number[] {
    return this.#process === undefined ? [] : [this.#process.pid];
  }

  async #watch(running: GuestProcess): Promise<void> {
    const { code } = await running.exited;
    this.#host.sampler.remove(this.#record.uuid);
    // What it started ends with it.
    await killScope(this.#scope, this.#leaders);
    await running.ended;
    const status = this.#verdict?.status ?? (code === 0 ? "COMPLETED" : "FAILED");
    await this.#finish({ ...this.#verdict, status, exitCode: code });
  }

  async #finish({ status, exitCode = 0, reason }: End): Promise<void> {
    // Where its folder is gone there is nobody to tell; the job ends all the same.
    const logs = await this.logs().catch(() => undefined);
    if (reason !== undefined) logs?.output.append(Buffer.from(`[guestwire] ${reason}\n`));
    await logs?.output.written();
    // Before the streams end: whoever asks for the status then gets the final one.
    this.#set({ status, exitCode, endedAt: this.#host.clock.now(), ...(reason === undefined ? {} : { reason }) });
    if (logs !== undefined) await endJobLogs(logs);
    await this.saved();
    this.#over.resolve();
    this.#host.ended(this);
  }

  #outOfMemory(bytes: number): void {
    const used = Math.ceil(bytes / 2 ** 20);
    const reason = `killed: it used ${used} MiB of memory, its limit is ${this.#record.maxMemory} MiB`;
    this.#verdict ??= { status: "FAILED", reason };
    signalScope(this.#scope, 9, this.#leaders);
  }

  async #openLogs(): Promise<JobLogs> {
    const logs = await openJobLogs(this.paths.folder, this.#host.kept);
    if (this.outcome !== undefined) await endJobLogs(logs);
    return logs;
  }

  #set(change: Partial<JobRecord> & { readonly status: JobStatus }): void {
    this.#record = { ...this.#record, ...change };
    const record = this.#record;
    // When this fails the disk is full: the job goes on, and after a restart it counts as lost.
    this.#saving = this.#saving.then(() => writeJobRecord(this.paths.record, record)).catch(() => {});
  }
}
