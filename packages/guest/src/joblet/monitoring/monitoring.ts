// joblet.MonitoringService: the machine as its kernel tells of it, once or at an interval. Changes nothing.
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { MonitoringService, type MonitoringServiceHandler, type StreamMetricsRequest } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { failure, invalid, quoted } from "../../errors.js";
import { rateLeastMs, systemMetricsLeastSeconds, systemMetricsSeconds } from "../limits.js";
import type { JobletHome, JobletPart } from "../seams.js";
import { type DiskOptions, Disks } from "./disks.js";
import { type Group, groups, type Machine, type Measurement, measureMachine, readBaseline } from "./measure.js";
import type { Interfaces } from "./networks.js";
import { ProcessWalk } from "./process-walk.js";
import { type Roots, realRoots } from "./roots.js";
import { serverVersion } from "./server-version.js";

/** How the machine is looked at. */
export interface MonitoringOptions extends Omit<DiskOptions, "roots"> {
  /** How messages name this node. Default: not at all. */
  readonly nodeId?: string;
  /** Where the kernel tells of the machine. Default /proc, /sys and /etc. */
  readonly roots?: Roots;
  /** The addresses of its interfaces. Default those of node:os. */
  readonly interfaces?: () => Interfaces;
  /** A clock that is never set, in milliseconds. Default that of `performance`. */
  readonly ticks?: () => number;
}

// What a timer can wait at a time.
const longestTimerMs = 2 ** 31 - 1;
const all: ReadonlySet<Group> = new Set(groups);

/** Opens the measurements; rates of the first one count from here. */
export async function openMonitoring(home: JobletHome, options: MonitoringOptions = {}): Promise<JobletPart> {
  const { roots = realRoots, interfaces = networkInterfaces, ticks = () => performance.now(), nodeId = "" } = options;
  const machine: Machine = {
    roots,
    nodeId,
    interfaces,
    ticks,
    disks: new Disks({ ...options, roots }),
    walk: new ProcessWalk(roots, ticks),
  };
  let shared = await readBaseline(machine);
  const closing = new AbortController();
  const timestamp = (): string => new Date(home.clock.now()).toISOString();

  /** A measurement that is nobody's own counts from the last of its kind that is long enough ago. */
  const measureOnce = async (wanted: ReadonlySet<Group>): Promise<Measurement> => {
    const from = shared;
    const measured = await measureMachine(machine, wanted, from);
    const isWhole = all.size === wanted.size;
    if (isWhole && shared === from && measured.baseline.at - from.at >= rateLeastMs) shared = measured.baseline;
    return measured;
  };

  const service: MonitoringServiceHandler = {
    async getSystemStatus() {
      const { message } = await measureOnce(all);
      // A machine without these two cannot be told about.
      const available = (message.cpu?.cores ?? 0) > 0 && (message.memory?.totalBytes ?? 0n) > 0n;
      const { $typeName: _, ...measured } = message;
      return { ...measured, timestamp: timestamp(), available, serverVersion: serverVersion() };
    },
    async *streamSystemMetrics(request, { signal }) {
      const { wanted, intervalMs } = readRequest(request);
      const over = AbortSignal.any([signal, closing.signal]);
      over.throwIfAborted();
      let measured = await measureOnce(wanted);
      for (;;) {
        over.throwIfAborted();
        // Whoever takes this late gets the next one late: nothing waits for slow readers.
        yield { ...measured.message, timestamp: timestamp() };
        await waitUntil(measured.baseline.at + intervalMs, ticks, over);
        measured = await measureMachine(machine, wanted, measured.baseline);
      }
    },
  };
  return {
    register: (registry) => void registry.service(MonitoringService, service),
    async close() {
      closing.abort(failure(Code.Unavailable, "the guest shuts down"));
    },
  };
}

/** @throws {RpcError} Code.InvalidArgument naming the field. */
function readRequest({ intervalSeconds, metricTypes }: StreamMetricsRequest): {
  readonly wanted: ReadonlySet<Group>;
  readonly intervalMs: number;
} {
  const seconds = intervalSeconds === 0 ? systemMetricsSeconds : intervalSeconds;
  if (seconds < systemMetricsLeastSeconds) {
    throw invalid("interval_seconds", `${seconds} is less than ${systemMetricsLeastSeconds}`);
  }
  for (const [index, type] of metricTypes.entries()) {
    if (!groups.includes(type as Group)) {
      throw invalid(`metric_types[${index}]`, `${quoted(type)} is not measured: ${groups.join(", ")}`);
    }
  }
  return { wanted: metricTypes.length === 0 ? all : new Set(metricTypes as Group[]), intervalMs: seconds * 1000 };
}

/** @throws the signal's reason, at once. */
async function waitUntil(at: number, ticks: () => number, signal: AbortSignal): Promise<void> {
  for (let left = at - ticks(); left > 0; left = at - ticks()) {
    await sleep(Math.min(left, longestTimerMs), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  signal.throwIfAborted();
}
