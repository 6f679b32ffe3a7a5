// Joblet services of a test's own: in this process, with real frames between them and their clients, in a folder that is
// gone at the end together with every process that they started.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GetJobStatusResponse, isFinal, JobService } from "@guestwire/joblet";
import { type Channel, type Client, createClient } from "@guestwire/rpc";
import { connectInProcess, serve } from "@guestwire/ttrpc";
import type { GuestClock } from "../clock.js";
import { processesOf } from "../process/scope.js";
import { openStateFolder } from "../state/state-folder.js";
import { createJobletServices, type JobletOptions } from "./joblet-services.js";

/** Open services, and a way to them. */
export interface TestJoblet extends AsyncDisposable {
  readonly channel: Channel;
  readonly jobs: Client<typeof JobService>;
  /** The state folder. */
  readonly path: string;
  /** The clock, which tests may move. */
  readonly clock: GuestClock & { moveMs: number };
  /** Follows a job to its end. */
  over(uuid: string): Promise<GetJobStatusResponse>;
  /** All output of a job, from its beginning to its end. */
  output(uuid: string): Promise<string>;
  /** Closes the services and opens them anew on the same folder. */
  restart(how?: { readonly killedWith?: DiskState }): Promise<void>;
}

/** A file as a guest that was killed leaves it. */
export interface DiskState {
  readonly path: string;
  readonly content: string;
}

/** Opens them. @param options As of `createJobletServices()`. */
export async function testJoblet(options: Partial<JobletOptions> = {}): Promise<TestJoblet> {
  const path = await mkdtemp(join(tmpdir(), "gw-joblet-"));
  const clock = { moveMs: 0, now: () => Date.now() + clock.moveMs, set: () => {} };
  const open = async () => {
    const folder = await openStateFolder(path);
    const services = await createJobletServices({ folder, clock, nodeId: "node-1", scheduleLookMs: 5, ...options });
    const server = serve();
    services.register(server);
    const channel = connectInProcess(server);
    return { folder, services, server, channel, jobs: createClient(JobService, channel) };
  };
  let current = await open();
  const close = async (): Promise<void> => {
    await current.services.close(0);
    // What the services said at their end still arrives.
    await current.channel.close({ graceMs: 10_000 });
    await current.server.close();
    current.folder.release();
  };
  const output = async (uuid: string): Promise<string> => {
    const parts: Uint8Array[] = [];
    for await (const { payload } of current.jobs.getJobLogs({ uuid })) parts.push(payload);
    return Buffer.concat(parts).toString();
  };
  return {
    path,
    clock,
    get channel() {
      return current.channel;
    },
    get jobs() {
      return current.jobs;
    },
    output,
    async over(uuid) {
      // Output ends with the job.
      await output(uuid);
      const status = await current.jobs.getJobStatus({ uuid });
      if (!isFinal(status.status)) throw new Error(`the output of job ${uuid} ended while it is ${status.status}`);
      return status;
    },
    async restart({ killedWith } = {}) {
      await close();
      // What the guest did at its end did not happen where it was killed.
      if (killedWith !== undefined) await writeFile(killedWith.path, killedWith.content);
      current = await open();
    },
    async [Symbol.asyncDispose]() {
      await close();
      const left = processesOf(current.folder.token);
      await rm(path, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`processes were left behind: ${left}`);
    },
  };
}
