// Use of the processors, from /proc/stat. Pure but for the one that reads.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CPUMetricsSchema } from "@guestwire/joblet";
import { percent, type Roots, textAt } from "./roots.js";

// What Linux shows to programs as a clock tick, on every architecture that Node runs on.
const ticksPerSecond = 100;

interface CpuTimes {
  readonly user: number;
  readonly system: number;
  readonly idle: number;
  readonly ioWait: number;
  readonly steal: number;
}

/** Times since the start of the machine, in ticks. */
export interface CpuCounters {
  readonly all: CpuTimes;
  /** By the processors' numbers, in their order. */
  readonly cores: ReadonlyMap<number, CpuTimes>;
  readonly loadAverage: readonly number[];
}

/** Reads the counters. */
export async function readCpu({ proc }: Roots): Promise<CpuCounters> {
  const [stat, load] = await Promise.all([textAt(proc, "stat"), textAt(proc, "loadavg")]);
  const cores = new Map<number, CpuTimes>();
  let all = times([]);
  for (const line of stat.split("\n")) {
    const [name = "", ...fields] = line.split(/\s+/);
    const core = /^cpu(\d+)$/.exec(name)?.[1];
    if (name === "cpu") all = times(fields);
    else if (core !== undefined) cores.set(Number(core), times(fields));
  }
  const loadAverage = load === "" ? [] : load.split(" ").slice(0, 3).map(Number);
  return { all, cores: new Map([...cores].sort(([a], [b]) => a - b)), loadAverage };
}

/** The message. @param before Where use counts from; `undefined` for the start of the machine. */
export function cpuMessage(now: CpuCounters, before?: CpuCounters): MessageInitShape<typeof CPUMetricsSchema> {
  const { user, system, idle, ioWait, steal } = now.all;
  return {
    cores: now.cores.size,
    usagePercent: usage(now.all, before?.all),
    userTime: user / ticksPerSecond,
    systemTime: system / ticksPerSecond,
    idleTime: idle / ticksPerSecond,
    ioWaitTime: ioWait / ticksPerSecond,
    stealTime: steal / ticksPerSecond,
    loadAverage: [...now.loadAverage],
    perCoreUsage: [...now.cores].map(([core, of]) => usage(of, before?.cores.get(core))),
  };
}

/** Time of guests is in that of user already. */
function times(fields: readonly string[]): CpuTimes {
  const field = (index: number): number => Number(fields[index] ?? 0);
  return {
    user: field(0) + field(1),
    system: field(2) + field(5) + field(6),
    idle: field(3),
    ioWait: field(4),
    steal: field(7),
  };
}

function usage(now: CpuTimes, before: CpuTimes = times([])): number {
  const busy = (of: CpuTimes): number => of.user + of.system + of.steal;
  const all = (of: CpuTimes): number => busy(of) + of.idle + of.ioWait;
  return percent(busy(now) - busy(before), all(now) - all(before));
}
