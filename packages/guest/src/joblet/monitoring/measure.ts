// One measurement of the machine: the groups that are asked for, with rates since an earlier measurement. Keeps nothing.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SystemMetricsResponseSchema } from "@guestwire/joblet";
import { readCloud } from "./cloud.js";
import { type CpuCounters, cpuMessage, readCpu } from "./cpu.js";
import type { Disks } from "./disks.js";
import { readHost } from "./host.js";
import { type DeviceCounters, ioMessage, readDevices } from "./io.js";
import { readMemory } from "./memory.js";
import { type Interfaces, type NetworkCounters, networkMessages, readNetworks } from "./networks.js";
import type { ProcessSnapshot, ProcessWalk } from "./process-walk.js";
import { processMessage } from "./processes.js";
import type { Roots } from "./roots.js";

/** What can be asked for, in the protocol's words. */
export const groups = ["cpu", "memory", "disk", "network", "io", "process"] as const;

/** A group of measurements. */
export type Group = (typeof groups)[number];

/** The machine that is measured. */
export interface Machine {
  readonly roots: Roots;
  readonly disks: Disks;
  readonly walk: ProcessWalk;
  readonly nodeId: string;
  /** The addresses at this moment. */
  interfaces(): Interfaces;
  /** A clock that is never set, in milliseconds. */
  ticks(): number;
}

/** What rates count from. Groups that were not measured are `undefined`. */
export interface Baseline {
  /** By the machine's clock, in milliseconds. */
  readonly at: number;
  readonly cpu?: CpuCounters | undefined;
  readonly networks?: ReadonlyMap<string, NetworkCounters> | undefined;
  readonly devices?: ReadonlyMap<string, DeviceCounters> | undefined;
  readonly processes?: ProcessSnapshot | undefined;
}

/** What was measured, and what the next one counts from. */
export interface Measurement {
  readonly message: MessageInitShape<typeof SystemMetricsResponseSchema>;
  readonly baseline: Baseline;
}

/** The counters alone, without processes: what the very first measurement counts from. */
export async function readBaseline({ roots, ticks }: Machine): Promise<Baseline> {
  const [cpu, networks, devices] = await Promise.all([readCpu(roots), readNetworks(roots), readDevices(roots)]);
  return { at: ticks(), cpu, networks, devices };
}

/** Measures. */
export async function measureMachine(
  machine: Machine,
  wanted: ReadonlySet<Group>,
  before: Baseline,
): Promise<Measurement> {
  const { roots, disks, walk, nodeId } = machine;
  const when = <T>(group: Group, read: () => Promise<T>): Promise<T | undefined> =>
    wanted.has(group) ? read() : Promise.resolve(undefined);
  const interfaces = machine.interfaces();
  const [cpu, networks, devices, memory, host, cloud] = await Promise.all([
    when("cpu", () => readCpu(roots)),
    when("network", () => readNetworks(roots)),
    when("io", () => readDevices(roots)),
    when("memory", () => readMemory(roots)),
    readHost(roots, interfaces, nodeId),
    readCloud(roots),
  ]);
  const at = machine.ticks();
  const seconds = (at - before.at) / 1000;
  const space = await when("disk", () => disks.read());
  const processes = await when("process", () => walk.snapshot());
  const message = {
    host,
    ...(cpu && { cpu: cpuMessage(cpu, before.cpu) }),
    ...(memory && { memory }),
    ...(space && { disks: space }),
    ...(networks && { networks: networkMessages(networks, before.networks, seconds, interfaces) }),
    ...(devices && { io: ioMessage(devices, before.devices, seconds) }),
    ...(processes && { processes: await processMessage(processes, before.processes, roots) }),
    ...(cloud && { cloud }),
  };
  return { message, baseline: { at, cpu, networks, devices, processes } };
}
