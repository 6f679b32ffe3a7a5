// Waits until a job is over. Joblet has no call for that: its status is asked for again and again.
import { setTimeout as sleep } from "node:timers/promises";
import { Code, RpcError } from "@guestwire/rpc";
import type { GetJobStatusResponse } from "./gen/joblet/job_pb.js";
import type { JobServiceClient } from "./gen/joblet/job_rpc.js";
import { type FollowOptions, Patience } from "./reconnect.js";
import { isFinal } from "./status.js";

/** How a job is waited for. */
export interface WaitForJobOptions extends FollowOptions {
  /** The longest pause between two questions, in milliseconds; the first ones are shorter. Default 1,000. */
  readonly pollMs?: number;
}

const firstPollMs = 20;

/**
 * Waits until a job is over, however it ended: look at `status` and `exitCode`.
 *
 * @param client As of `createClient(JobService, channel)`.
 * @param uuid Of the job, or a prefix that only one job has.
 * @throws {RpcError} Code.NotFound for an unknown job; Code.Canceled when the signal fires; Code.Unavailable when the server
 * stays away.
 */
export async function waitForJob(
  client: Pick<JobServiceClient, "getJobStatus">,
  uuid: string,
  options: WaitForJobOptions = {},
): Promise<GetJobStatusResponse> {
  const { signal, pollMs = 1000 } = options;
  const call = signal === undefined ? {} : { signal };
  const patience = new Patience(options);
  for (let pause = firstPollMs; ; pause *= 1.5) {
    try {
      const status = await client.getJobStatus({ uuid }, call);
      if (isFinal(status.status)) return status;
      patience.restore();
    } catch (error) {
      await patience.next(error);
      continue;
    }
    try {
      await sleep(Math.min(pause, pollMs), undefined, call);
    } catch {
      throw new RpcError(Code.Canceled, "the wait for the job was canceled", { cause: signal?.reason });
    }
  }
}
