// Looks at all running jobs now and then: one walk through /proc for all of them. Keeps no process alive.
import type { GuestClock } from "../../clock.js";
import { scopesInProc } from "../../process/scope.js";
import type { JobLogs } from "./job-logs.js";
import { Meter } from "./meter.js";
import { SocketTable } from "./sockets.js";
import { Watcher } from "./watcher.js";

/** A running job, as it is looked at. */
export interface SampledJob {
  readonly uuid: string;
  /** Its first process. */
  readonly pid: number;
  readonly scope: string;
  /** MiB; 0 for no limit. */
  readonly maxMemory: number;
  readonly logs: JobLogs;
  /** It uses more memory than it may, in bytes. */
  exceeded(bytes: number): void;
}

/** How often it is looked, in milliseconds. */
export interface SampleTimes {
  readonly sampleMs: number;
  /** How often a measurement is recorded; not more often than it is looked. */
  readonly metricsMs: number;
}

/** Looks at jobs from when they are added until they are removed. */
export class Sampler {
  readonly #jobs = new Map<string, { job: SampledJob; meter: Meter; watcher: Watcher; recordedAt: number }>();
  readonly #clock: GuestClock;
  readonly #times: SampleTimes;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: GuestClock, times: SampleTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  /** Looks at a job from now on; the first measurement is taken at once. */
  add(job: SampledJob): void {
    const entry = { job, meter: new Meter(), watcher: new Watcher(), recordedAt: Number.NEGATIVE_INFINITY };
    this.#jobs.set(job.uuid, entry);
    // The walk through /proc may come too late for a short job; its first process is known without it.
    this.#look(entry, [job.pid], undefined);
    this.#timer ??= setInterval(() => this.#tick(), this.#times.sampleMs).unref();
  }

  /** Looks at a job no longer. */
  remove(uuid: string): void {
    this.#jobs.delete(uuid);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const scopes = scopesInProc();
    // Where no descriptor is left to look, nobody has ended because of that.
    if (scopes === undefined) return;
    const sockets = new SocketTable();
    for (const entry of [...this.#jobs.values()])
      this.#look(entry, [...new Set([entry.job.pid, ...(scopes.get(entry.job.scope) ?? [])])], sockets);
  }

  #look(
    entry: { job: SampledJob; meter: Meter; watcher: Watcher; recordedAt: number },
    pids: readonly number[],
    sockets: SocketTable | undefined,
  ): void {
    const { job, meter, watcher } = entry;
    const at = `${BigInt(Math.trunc(this.#clock.now())) * 1_000_000n}`;
    for (const event of watcher.look(pids, sockets)) job.logs.events.append(line({ at, ...event }));
    const memory = meter.look(pids);
    if (job.maxMemory > 0 && memory > job.maxMemory * 2 ** 20) job.exceeded(memory);
    const now = performance.now();
    // A timer may come a little early.
    if (now - entry.recordedAt < this.#times.metricsMs - this.#times.sampleMs / 2) return;
    entry.recordedAt = now;
    job.logs.metrics.append(line({ at, ...meter.measure(), memoryLimit: job.maxMemory * 2 ** 20 }));
  }
}

function line(record: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(record)}\n`);
}
