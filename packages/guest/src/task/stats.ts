// Resource use of a container's processes as /proc tells it. Without a cgroup there are no limits and no history: what
// ended processes used is not counted.
import { readFileSync } from "node:fs";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MetricsSchema } from "@guestwire/types/cgroups";

// What Linux shows to programs as a clock tick, on every architecture that Node runs on.
const ticksPerSecond = 100;
const noLimit = 2n ** 64n - 1n;

/** Adds up the use of processes; those that end meanwhile are left out. */
export function readStats(pids: readonly number[]): MessageInitShape<typeof MetricsSchema> {
  let userUsec = 0;
  let systemUsec = 0;
  let threads = 0;
  let rss = 0;
  let anon = 0;
  let file = 0;
  let faults = 0;
  let majorFaults = 0;
  for (const pid of pids) {
    const usage = readUsage(pid);
    if (usage === undefined) continue;
    const { fields, status } = usage;
    const number = (index: number): number => Number(fields[index - 3]);
    faults += number(10);
    majorFaults += number(12);
    userUsec += (number(14) * 1_000_000) / ticksPerSecond;
    systemUsec += (number(15) * 1_000_000) / ticksPerSecond;
    threads += number(20);
    rss += kibibytes(status, "VmRSS");
    anon += kibibytes(status, "RssAnon");
    file += kibibytes(status, "RssFile");
  }
  return {
    pids: { current: BigInt(threads), limit: noLimit },
    cpu: {
      usageUsec: BigInt(userUsec + systemUsec),
      userUsec: BigInt(userUsec),
      systemUsec: BigInt(systemUsec),
    },
    memory: {
      usage: BigInt(rss),
      usageLimit: noLimit,
      swapLimit: noLimit,
      anon: BigInt(anon),
      fileMapped: BigInt(file),
      pgfault: BigInt(faults),
      pgmajfault: BigInt(majorFaults),
    },
  };
}

/** The fields of /proc/PID/stat from the third on, and /proc/PID/status. */
function readUsage(pid: number): { fields: string[]; status: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is a name in parentheses that may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { fields, status: readFileSync(`/proc/${pid}/status`, "latin1") };
  } catch {
    return undefined;
  }
}

function kibibytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}
