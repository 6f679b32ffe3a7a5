// Machines as the service's messages show them.
import { release } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MachineInfoSchema, MachineSummarySchema } from "@guestwire/machine";
import type { Machine } from "./machine.js";
import { mainAddress, readNetwork } from "./network.js";

/** A machine in a list. */
export async function machineSummary({
  record,
  state,
}: Machine): Promise<MessageInitShape<typeof MachineSummarySchema>> {
  return {
    id: record.name,
    name: record.name,
    state,
    cpus: record.cpus,
    memory: BigInt(record.memory),
    diskSize: BigInt(record.diskSize),
    ipAddress: state === "running" ? await mainAddress() : "",
    created: BigInt(Math.floor(record.createdAt / 1000)),
  };
}

/** Everything about a machine. Network and kernel are known only while it runs. */
export async function machineInfo({
  record,
  state,
  paths,
}: Machine): Promise<MessageInitShape<typeof MachineInfoSchema>> {
  const running = state === "running";
  return {
    id: record.name,
    name: record.name,
    state,
    hardware: { cpus: record.cpus, memory: BigInt(record.memory), arch: record.arch },
    network: running ? await readNetwork() : {},
    storage: { diskSize: BigInt(record.diskSize), diskFormat: "directory", diskPath: paths.rootfs },
    os: { distro: record.distro, version: record.version, kernel: running ? release() : "" },
    created: arcboxTime(record.createdAt),
    ...(record.startedAt !== 0 && { startedAt: arcboxTime(record.startedAt) }),
    mounts: record.mounts.map((mount) => ({ ...mount, readonly: false })),
  };
}

function arcboxTime(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.floor(ms % 1000) * 1_000_000 };
}
