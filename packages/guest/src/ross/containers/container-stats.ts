// What a container's processes use, as /proc tells it, in the form of Docker's statistics.
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CPUStatsSchema,
  HostConfigSchema,
  type StatsRequest,
  type StatsResponse,
  type StatsResponseSchema,
} from "@guestwire/ross";
import { processesOf } from "../../process/scope.js";
import { readStats } from "../../task/stats.js";
import { statsMs } from "../limits.js";
import type { RossContainer } from "./ross-container.js";

type Sample = Exclude<MessageInitShape<typeof StatsResponseSchema>, StatsResponse>;
interface Taken extends Sample {
  readonly read: Timestamp;
  readonly cpuStats: MessageInitShape<typeof CPUStatsSchema>;
}

// Linux shows clock ticks of a hundredth of a second on every architecture that Node runs on.
const nanosPerTick = 10_000_000n;

/**
 * Samples of a container: one, or one every second until it ends. A container that does not run has one sample of zeros.
 *
 * @param signal Ends the stream.
 * @param pauseMs Between two samples. Default one second.
 */
export async function* containerStats(
  container: RossContainer,
  { stream, oneShot }: StatsRequest,
  signal: AbortSignal,
  pauseMs: number = statsMs,
): AsyncGenerator<Sample> {
  let earlier = takeSample(container);
  if (stream || oneShot || container.currentOrNone === undefined) yield earlier;
  if (!stream && (oneShot || container.currentOrNone === undefined)) return;
  while (!signal.aborted) {
    const run = container.currentOrNone;
    if (run === undefined) return;
    const waiting = new AbortController();
    const stop = AbortSignal.any([signal, waiting.signal]);
    await Promise.race([sleep(pauseMs, undefined, { signal: stop }).catch(() => {}), run.finished]);
    waiting.abort();
    if (signal.aborted) return;
    const present = takeSample(container);
    const sample: Sample = { ...present, preread: earlier.read, precpuStats: earlier.cpuStats };
    earlier = present;
    if (!stream) return yield sample;
    if (container.currentOrNone === undefined) return;
    yield sample;
  }
}

function takeSample(container: RossContainer): Taken {
  const current = container.currentOrNone;
  const pids = current === undefined ? [] : processesOf(current.scope, container.leaders);
  const { cpu, memory, pids: threads } = readStats(pids);
  const { resources } = fromJson(HostConfigSchema, container.record.hostConfig);
  const io = readIo(pids);
  const nanos = (usec: bigint | undefined): bigint => (usec ?? 0n) * 1000n;
  return {
    read: timestampFromMs(container.clock.now()),
    pidsStats: { current: threads?.current ?? 0n, limit: BigInt(Math.max(0, Number(resources?.pidsLimit ?? 0n))) },
    blkioStats: {
      ioServiceBytesRecursive: [
        { op: "Read", value: io.read },
        { op: "Write", value: io.written },
      ],
    },
    cpuStats: {
      cpuUsage: {
        totalUsage: nanos(cpu?.usageUsec),
        usageInKernelmode: nanos(cpu?.systemUsec),
        usageInUsermode: nanos(cpu?.userUsec),
      },
      systemCpuUsage: systemNanos(),
      onlineCpus: BigInt(availableParallelism()),
      throttlingData: {},
    },
    memoryStats: {
      usage: memory?.usage ?? 0n,
      limit: resources?.memory || BigInt(totalmem()),
      stats: {
        anon: memory?.anon ?? 0n,
        file_mapped: memory?.fileMapped ?? 0n,
        pgfault: memory?.pgfault ?? 0n,
        pgmajfault: memory?.pgmajfault ?? 0n,
      },
    },
  };
}

/** The host's CPU time, idle time included: what Docker compares a container's with. */
function systemNanos(): bigint {
  const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  // user nice system idle iowait irq softirq steal; guests are in user already.
  const ticks = first.split(/\s+/).slice(1, 9);
  return ticks.reduce((sum, tick) => sum + BigInt(tick || 0), 0n) * nanosPerTick;
}

function readIo(pids: readonly number[]): { read: bigint; written: bigint } {
  let [read, written] = [0n, 0n];
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/io`, "latin1");
      read += BigInt(/^read_bytes: (\d+)$/m.exec(text)?.[1] ?? 0);
      written += BigInt(/^write_bytes: (\d+)$/m.exec(text)?.[1] ?? 0);
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
  return { read, written };
}
