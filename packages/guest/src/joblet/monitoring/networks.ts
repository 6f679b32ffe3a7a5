// Traffic of the network interfaces, from /proc/net/dev, with their addresses. Without the loopback and virtual ones.
import type { NetworkInterfaceInfo } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NetworkMetricsSchema } from "@guestwire/joblet";
import { count, type Roots, rate, textAt } from "./roots.js";

/** Addresses by interface, as node:os gives them. */
export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

/** Counters of one interface since it came up. */
export interface NetworkCounters {
  /** The 16 numbers of a line of /proc/net/dev. */
  readonly counts: readonly bigint[];
  /** Empty when it has none. */
  readonly macAddress: string;
}

// By name: inside a container also the interface to the world is a virtual one for the kernel.
const virtual =
  /^(lo|veth|docker|br-|virbr|vnet|vif|tap|tun\d|tunl|joblet|viso|cni|flannel|cali|cilium|lxc|lxdbr|podman|dummy|ifb|sit|gre|gretap|erspan|ip6tnl|ip6gre|ip_vti|ip6_vti|teql|kube-|nodelocaldns|bonding_masters)/;

/** Whether an interface is told of. */
export function isReal(name: string): boolean {
  return !virtual.test(name);
}

/** Reads the counters, by the interfaces' names. */
export async function readNetworks({ proc, sys }: Roots): Promise<Map<string, NetworkCounters>> {
  const found = new Map<string, NetworkCounters>();
  for (const line of (await textAt(proc, "net/dev")).split("\n")) {
    const [, name, fields] = /^\s*([^\s:]+(?::\d+)?):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || fields === undefined || !isReal(name)) continue;
    const macAddress = (await textAt(sys, `class/net/${name}/address`)).trim();
    const counts = fields.trim().split(/\s+/).map(count);
    found.set(name, { counts, macAddress: /^[0:]*$/.test(macAddress) ? "" : macAddress });
  }
  return found;
}

/**
 * The messages.
 *
 * @param seconds Since `before`.
 */
export function networkMessages(
  now: ReadonlyMap<string, NetworkCounters>,
  before: ReadonlyMap<string, NetworkCounters> | undefined,
  seconds: number,
  interfaces: Interfaces,
): MessageInitShape<typeof NetworkMetricsSchema>[] {
  return [...now].map(([name, { counts, macAddress }]) => {
    const of = (index: number): bigint => counts[index] ?? 0n;
    const last = before?.get(name)?.counts;
    return {
      interface: name,
      bytesReceived: of(0),
      packetsReceived: of(1),
      errorsIn: of(2),
      dropsIn: of(3),
      bytesSent: of(8),
      packetsSent: of(9),
      errorsOut: of(10),
      dropsOut: of(11),
      receiveRate: rate(of(0), last?.[0], seconds),
      transmitRate: rate(of(8), last?.[8], seconds),
      ipAddresses: addressesOf(interfaces, name),
      macAddress,
    };
  });
}

/** The IP addresses of an interface. */
export function addressesOf(interfaces: Interfaces, name: string): string[] {
  return (interfaces[name] ?? []).map(({ address }) => address);
}
