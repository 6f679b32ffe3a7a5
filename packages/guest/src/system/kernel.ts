// Facts about this host as its kernel tells them. Reads only.
import { readFile } from "node:fs/promises";
import os from "node:os";
import { Code } from "@guestwire/rpc";
import { failure, textOf } from "../errors.js";

/** What a machine can say about itself; the shape of ArcBox's SystemInfo. */
export interface SystemFacts {
  /** As `uname -r` prints it. */
  kernelVersion: string;
  /** Name of the distribution; empty where it is not known. */
  osName: string;
  /** Its version; empty where it is not known. */
  osVersion: string;
  /** As `uname -m` prints it. */
  arch: string;
  /** In bytes. */
  totalMemory: bigint;
  /** What can be had without swapping, in bytes. */
  availableMemory: bigint;
  /** CPUs that this process may use. */
  cpuCount: number;
  /** Over 1, 5 and 15 minutes. */
  loadAverage: number[];
  hostname: string;
  /** Since boot, in seconds. */
  uptime: bigint;
  /** Without the loopback ones. */
  ipAddresses: string[];
}

/** The whole text of /proc/version. */
export function kernelText(): Promise<string> {
  return read("/proc/version");
}

/** Memory of the host in bytes. @throws {RpcError} Code.Internal when it cannot be read. */
export async function readMemory(): Promise<{ total: bigint; available: bigint }> {
  const text = await read("/proc/meminfo");
  const bytes = (name: string): bigint =>
    BigInt(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024n;
  const total = bytes("MemTotal");
  if (total === 0n) throw failure(Code.Internal, "/proc/meminfo does not tell the memory");
  return { total, available: bytes("MemAvailable") };
}

/** All facts at once. @throws {RpcError} Code.Internal when they cannot be read. */
export async function readFacts(): Promise<SystemFacts> {
  const [memory, distribution] = await Promise.all([readMemory(), readDistribution()]);
  return {
    kernelVersion: os.release(),
    osName: distribution.name,
    osVersion: distribution.version,
    arch: os.machine(),
    totalMemory: memory.total,
    availableMemory: memory.available,
    cpuCount: os.availableParallelism(),
    loadAverage: os.loadavg(),
    hostname: os.hostname(),
    uptime: BigInt(Math.floor(os.uptime())),
    ipAddresses: addresses(),
  };
}

/** The distribution by /etc/os-release; empty texts where there is none. */
export async function readDistribution(): Promise<{ id: string; name: string; version: string }> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const value = (key: string): string => new RegExp(`^${key}=(["']?)(.*)\\1$`, "m").exec(text)?.[2] ?? "";
  return { id: value("ID"), name: value("NAME"), version: value("VERSION_ID") };
}

function addresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter(({ internal }) => !internal).map(({ address }) => address);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw failure(Code.Internal, textOf(error), error);
  }
}
