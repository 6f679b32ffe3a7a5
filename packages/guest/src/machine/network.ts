// The network that machines share with their host, as its kernel tells it. Reads only.
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MachineNetworkSchema } from "@guestwire/machine";

/** Address, gateway, hardware address and name servers; what is not known is empty. */
export async function readNetwork(): Promise<MessageInitShape<typeof MachineNetworkSchema>> {
  const [routes, resolver] = await Promise.all([read("/proc/net/route"), read("/etc/resolv.conf")]);
  const { name, gateway } = defaultRoute(routes);
  const all = Object.entries(networkInterfaces()).flatMap(([owner, list = []]) =>
    list.filter(({ internal }) => !internal).map((address) => ({ owner, ...address })),
  );
  const main = all.find(({ owner, family }) => owner === name && family === "IPv4") ?? all[0];
  const dnsServers = [...resolver.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] as string);
  return { ipAddress: main?.address ?? "", gateway, macAddress: main?.mac ?? "", dnsServers };
}

/** The main address alone; empty where there is none. */
export async function mainAddress(): Promise<string> {
  return (await readNetwork()).ipAddress ?? "";
}

function defaultRoute(routes: string): { name: string; gateway: string } {
  for (const line of routes.split("\n").slice(1)) {
    const [name = "", destination, gateway = ""] = line.split("\t");
    if (destination !== "00000000") continue;
    // Four bytes in hexadecimal, the last one first.
    const bytes = (gateway.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse();
    return { name, gateway: bytes.join(".") };
  }
  return { name: "", gateway: "" };
}

function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
