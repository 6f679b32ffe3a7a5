// Measurements and events of a job, going on after the connection was lost. Each comes once, in the order of their times.
import type { JobMetricsEvent, TelematicsEvent } from "./gen/joblet/job_pb.js";
import type { JobServiceClient } from "./gen/joblet/job_rpc.js";
import { type FollowOptions, reconnecting } from "./reconnect.js";

/** How events are followed. */
export interface FollowTelematicsOptions extends FollowOptions {
  /** Which kinds, as `exec` and `connect`. Default all that the server collects. */
  readonly types?: readonly string[];
}

/**
 * The measurements of a job: what was kept first, then live until the job ends.
 *
 * @param uuid Of the job, or a prefix that only one job has.
 * @throws {RpcError} Code.Unavailable when the server collects none or stays away; Code.NotFound for an unknown job.
 */
export function followMetrics(
  client: Pick<JobServiceClient, "streamJobMetrics">,
  uuid: string,
  options: FollowOptions = {},
): AsyncGenerator<JobMetricsEvent> {
  return once(() => client.streamJobMetrics({ jobUuid: uuid }, callOptions(options)), options);
}

/**
 * What a job does, as far as the server sees it: what was kept first, then live until the job ends.
 *
 * @param uuid Of the job, or a prefix that only one job has.
 * @throws {RpcError} Code.Unavailable when the server collects no such events or stays away; Code.NotFound for an unknown
 * job.
 */
export function followTelematics(
  client: Pick<JobServiceClient, "streamJobTelematics">,
  uuid: string,
  options: FollowTelematicsOptions = {},
): AsyncGenerator<TelematicsEvent> {
  const types = [...(options.types ?? [])];
  return once(() => client.streamJobTelematics({ jobUuid: uuid, types }, callOptions(options)), options);
}

function callOptions({ signal }: FollowOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

async function* once<T extends { readonly timestamp: bigint }>(
  open: () => AsyncIterable<T>,
  options: FollowOptions,
): AsyncGenerator<T> {
  let last: bigint | undefined;
  // How many of the time of the last one were delivered, and how many of them came again.
  let delivered = 0;
  let repeated = 0;
  let passingOver = false;
  const again = (): void => {
    passingOver = true;
    repeated = 0;
  };
  for await (const item of reconnecting(open, again, options)) {
    if (passingOver && last !== undefined) {
      if (item.timestamp < last) continue;
      if (item.timestamp === last && repeated < delivered) {
        repeated++;
        continue;
      }
      passingOver = false;
    }
    delivered = item.timestamp === last ? delivered + 1 : 1;
    last = item.timestamp;
    yield item;
  }
}
