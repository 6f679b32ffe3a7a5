// Work of the block devices, from /proc/diskstats. Whole devices only: a partition's work is in that of its disk.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { IOMetricsSchema } from "@guestwire/joblet";
import { count, percent, type Roots, rate, textAt } from "./roots.js";

// What the kernel counts in, whatever a device's own blocks are.
const sectorBytes = 512n;

/** Counters of one device since the start of the machine. */
export interface DeviceCounters {
  readonly reads: bigint;
  readonly readBytes: bigint;
  readonly readMs: bigint;
  readonly writes: bigint;
  readonly writeBytes: bigint;
  readonly writeMs: bigint;
  readonly busyMs: bigint;
  /** Whether it lies on other devices, which have counted the same work. */
  readonly stacked: boolean;
}

/** Reads the counters, by the devices' names. */
export async function readDevices({ proc, sys }: Roots): Promise<Map<string, DeviceCounters>> {
  const [text, whole] = await Promise.all([textAt(proc, "diskstats"), wholeDevices(sys)]);
  const found = new Map<string, DeviceCounters>();
  for (const line of text.split("\n")) {
    const [, , name, ...fields] = line.trim().split(/\s+/);
    if (name === undefined || /^(loop|ram|zram)\d/.test(name) || whole?.has(name) === false) continue;
    const of = (index: number): bigint => count(fields[index]);
    found.set(name, {
      reads: of(0),
      readBytes: of(2) * sectorBytes,
      readMs: of(3),
      writes: of(4),
      writeBytes: of(6) * sectorBytes,
      writeMs: of(7),
      busyMs: of(9),
      stacked: whole?.get(name) === true,
    });
  }
  return found;
}

/** The message. @param seconds Since `before`. */
export function ioMessage(
  now: ReadonlyMap<string, DeviceCounters>,
  before: ReadonlyMap<string, DeviceCounters> | undefined,
  seconds: number,
): MessageInitShape<typeof IOMetricsSchema> {
  const sum = (of: (device: DeviceCounters) => bigint, devices = now): bigint => {
    let total = 0n;
    for (const device of devices.values()) if (!device.stacked) total += of(device);
    return total;
  };
  const summedRate = (of: (device: DeviceCounters) => bigint): number =>
    before === undefined ? 0 : rate(sum(of), sum(of, before), seconds);
  return {
    totalReads: sum(({ reads }) => reads),
    totalWrites: sum(({ writes }) => writes),
    readBytes: sum(({ readBytes }) => readBytes),
    writeBytes: sum(({ writeBytes }) => writeBytes),
    readRate: summedRate(({ readBytes }) => readBytes),
    writeRate: summedRate(({ writeBytes }) => writeBytes),
    diskIo: [...now].map(([device, of]) => ({
      device,
      readsCompleted: of.reads,
      writesCompleted: of.writes,
      readBytes: of.readBytes,
      writeBytes: of.writeBytes,
      readTime: of.readMs,
      writeTime: of.writeMs,
      ioTime: of.busyMs,
      utilization: percent(rate(of.busyMs, before?.get(device)?.busyMs, seconds), 1000),
    })),
  };
}

/** Whole devices, and whether each lies on others; `undefined` where the kernel does not tell. */
async function wholeDevices(sys: string): Promise<Map<string, boolean> | undefined> {
  try {
    const names = await readdir(join(sys, "block"));
    const below = (name: string): Promise<string[]> => readdir(join(sys, "block", name, "slaves")).catch(() => []);
    return new Map(
      await Promise.all(names.map(async (name) => [name, (await below(name)).length > 0] as [string, boolean])),
    );
  } catch {
    return undefined;
  }
}
