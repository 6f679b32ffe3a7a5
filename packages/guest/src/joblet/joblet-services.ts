// createJobletServices(): the Joblet services of a guest on its state folder, to be registered on any server.
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { JobService, RunJobRequestSchema } from "@guestwire/joblet";
import type { ServiceRegistry } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { stopGraceMs } from "../limits.js";
import type { StateFolder } from "../state/state-folder.js";
import { createJobService } from "./jobs/job-service.js";
import { JobStore } from "./jobs/job-store.js";
import { checkJob, type Lookups } from "./jobs/run-request.js";
import { Sampler } from "./jobs/sampler.js";
import * as limits from "./limits.js";
import { openMonitoring } from "./monitoring/monitoring.js";
import { openNetworks } from "./networks/networks.js";
import { openRuntimes } from "./runtimes/runtimes.js";
import { type JobletHome, type JobletPart, type JobStarter, noNetworks, noRuntimes, noVolumes } from "./seams.js";
import { openVolumes } from "./volumes/volumes.js";
import { WorkflowStore } from "./workflows/workflow-store.js";

/** How the Joblet services are set up. */
export interface JobletOptions {
  /** The guest's state folder; what Joblet keeps lies in `joblet/` below it. */
  readonly folder: Pick<StateFolder, "path" | "token" | "scratch">;
  readonly clock: GuestClock;
  /** How statuses name this node. Default the host's name. */
  readonly nodeId?: string;
  /** Kept output of one job, in bytes. Default 128 MiB; beyond that the oldest half goes. */
  readonly outputBytes?: number;
  /** Between SIGTERM and SIGKILL of StopJob, in milliseconds. Default 5,000. */
  readonly stopGraceMs?: number;
  /** Silence in a stream of output before a keepalive, in milliseconds. Default 15,000. */
  readonly keepaliveMs?: number;
  /** How often running jobs are looked at, in milliseconds. Default 1,000. */
  readonly sampleMs?: number;
  /** How often a measurement of a job is recorded, in milliseconds. Default 5,000. */
  readonly metricsMs?: number;
  /** How often it is looked whether a scheduled job is due, in milliseconds. Default 1,000. */
  readonly scheduleLookMs?: number;
}

/** The Joblet services of a guest. */
export interface JobletServices {
  /** Serves all of them on a server or router, or on several. */
  register(registry: ServiceRegistry): void;
  /**
   * Stops all jobs: SIGTERM, and SIGKILL after `graceMs`. Jobs that are scheduled or wait for others are there again in the
   * next guest.
   *
   * @param hurry Ends the grace early.
   */
  close(graceMs: number, hurry?: AbortSignal): Promise<void>;
}

/**
 * Opens the Joblet services, and goes on with what an earlier guest left: jobs that ran count as FAILED, jobs that were
 * scheduled start when they are due, or at once where that time has passed.
 */
export async function createJobletServices(options: JobletOptions): Promise<JobletServices> {
  const { clock, nodeId = hostname() } = options;
  const { path, token, scratch } = options.folder;
  const folderOf = async (name: string): Promise<string> => {
    const folder = join(path, "joblet", name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  };
  // Filled in below: jobs ask the parts, and the parts ask jobs.
  const lookups: Lookups = { networks: noNetworks, volumes: noVolumes, runtimes: noRuntimes };
  const sampleMs = options.sampleMs ?? limits.sampleMs;
  const jobs = await JobStore.open({
    folder: await folderOf("jobs"),
    scratch,
    token,
    clock,
    lookups,
    sampler: new Sampler(clock, { sampleMs, metricsMs: options.metricsMs ?? limits.metricsMs }),
    kept: { output: options.outputBytes ?? limits.outputBytes, records: limits.recordBytes },
    scheduleLookMs: options.scheduleLookMs ?? limits.scheduleLookMs,
  });
  const workflows = await WorkflowStore.open(await folderOf("workflows"), jobs);
  const starter: JobStarter = {
    async start({ command, args = [], name = "" }) {
      const spec = create(RunJobRequestSchema, { command, args: [...args], name });
      const job = await jobs.create(checkJob(spec, lookups, clock));
      await jobs.start(job);
      return job.record.uuid;
    },
  };
  const homeOf = async (name: string): Promise<JobletHome> => ({
    folder: await folderOf(name),
    scratch,
    clock,
    usage: jobs.usage,
    jobs: starter,
  });
  const parts: JobletPart[] = await openParts(homeOf, lookups, nodeId);
  await jobs.resume();
  const service = createJobService({
    jobs,
    workflows,
    lookups,
    clock,
    nodeId,
    stopGraceMs: options.stopGraceMs ?? stopGraceMs,
    keepaliveMs: options.keepaliveMs ?? limits.keepaliveMs,
  });
  return {
    register(registry) {
      registry.service(JobService, service);
      for (const part of parts) part.register(registry);
    },
    async close(graceMs, hurry) {
      await jobs.close(graceMs, hurry);
      await Promise.all(parts.map((part) => part.close?.(graceMs, hurry)));
    },
  };
}

/** The parts beside jobs. Each puts its lookup in the place of the one that knows nothing. */
async function openParts(
  homeOf: (name: string) => Promise<JobletHome>,
  lookups: Lookups,
  nodeId: string,
): Promise<JobletPart[]> {
  const networks = await openNetworks(await homeOf("networks"));
  lookups.networks = networks.lookup;
  const volumes = await openVolumes(await homeOf("volumes"));
  lookups.volumes = volumes.lookup;
  const runtimes = await openRuntimes(await homeOf("runtimes"));
  lookups.runtimes = runtimes.lookup;
  const monitoring = await openMonitoring(await homeOf("monitoring"), { nodeId, volumes: () => volumes.list() });
  return [networks, volumes, runtimes, monitoring];
}
