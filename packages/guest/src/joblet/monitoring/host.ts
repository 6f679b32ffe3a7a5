// The machine and its operating system.
import os from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HostInfoSchema } from "@guestwire/joblet";
import { addressesOf, type Interfaces, isReal, readNetworks } from "./networks.js";
import { type Roots, textAt } from "./roots.js";

// Where Go's names differ from Node's.
const goNames: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  mipsel: "mipsle",
  ppc64: "ppc64le",
};

/** An architecture as Go names it. @param node As Node does; default this host's. */
export function goArchitecture(node: string = process.arch): string {
  return goNames[node] ?? node;
}

/** Reads the message. */
export async function readHost(
  roots: Roots,
  interfaces: Interfaces,
  nodeId: string,
): Promise<MessageInitShape<typeof HostInfoSchema>> {
  const { proc, etc } = roots;
  const [release, hostname, kernel, stat, uptime, meminfo, networks] = await Promise.all([
    textAt(etc, "os-release"),
    textAt(proc, "sys/kernel/hostname"),
    textAt(proc, "sys/kernel/osrelease"),
    textAt(proc, "stat"),
    textAt(proc, "uptime"),
    textAt(proc, "meminfo"),
    readNetworks(roots),
  ]);
  const of = (key: string): string => new RegExp(`^${key}=(["']?)(.*)\\1$`, "m").exec(release)?.[2] ?? "";
  const [name, version] = [of("NAME"), of("VERSION_ID")];
  const bootSeconds = /^btime (\d+)$/m.exec(stat)?.[1];
  return {
    hostname: hostname.trim() || os.hostname(),
    os: of("PRETTY_NAME") || `${name} ${version}`.trim() || os.type(),
    platform: of("ID"),
    platformFamily: of("ID_LIKE").split(" ")[0] || of("ID"),
    platformVersion: version,
    kernelVersion: kernel.trim() || os.release(),
    kernelArch: os.machine(),
    architecture: goArchitecture(),
    cpuCount: [...stat.matchAll(/^cpu\d+ /gm)].length,
    totalMemory: BigInt(/^MemTotal:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * 1024n,
    bootTime: bootSeconds === undefined ? "" : new Date(Number(bootSeconds) * 1000).toISOString(),
    uptime: BigInt(Math.floor(Number.parseFloat(uptime) || 0)),
    nodeId,
    serverIps: Object.keys(interfaces)
      .filter(isReal)
      .flatMap((each) => addressesOf(interfaces, each)),
    macAddresses: [...networks.values()].map(({ macAddress }) => macAddress).filter((mac) => mac !== ""),
  };
}
