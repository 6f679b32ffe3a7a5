// joblet.NetworkService: networks as records. Nothing is made of them on this host, whose network all jobs share.
import { join } from "node:path";
import { NetworkService, type NetworkServiceHandler } from "@guestwire/joblet";
import { RpcError } from "@guestwire/rpc";
import { invalid, quoted } from "../../errors.js";
import { RecordFile } from "../../state/record-file.js";
import { builtInNetworks, type JobletHome, type NetworksPart } from "../seams.js";
import { overlap, parseCidr } from "./cidr.js";

interface NetworkRecord {
  readonly name: string;
  /** Empty for the built-in ones without a range. */
  readonly cidr: string;
  readonly bridge: string;
}

const nameForm = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const most = 1000;

const builtIn: readonly NetworkRecord[] = builtInNetworks.map((name) =>
  // As Joblet has it where nothing else is configured.
  name === "bridge" ? { name, cidr: "172.20.0.0/16", bridge: "joblet0" } : { name, cidr: "", bridge: "" },
);

/** Opens the networks. */
export async function openNetworks({ folder, usage }: JobletHome): Promise<NetworksPart> {
  const file = new RecordFile<NetworkRecord>(join(folder, "networks.json"));
  const made = new Map((await file.read()).map((network) => [network.name, network]));
  const save = (): Promise<void> => file.write(() => made.values());
  const all = (): NetworkRecord[] => [...builtIn, ...made.values()];

  const check = (name: string, cidr: string): void => {
    if (!nameForm.test(name)) {
      throw invalid("name", `${quoted(name)} is no name: a letter, then letters, digits, "-" and "_", at most 63`);
    }
    if (all().some((network) => network.name === name)) throw invalid("name", `the network ${quoted(name)} exists`);
    if (made.size >= most) throw invalid("name", `there are ${most} networks already`);
    const range = parseCidr(cidr);
    if (typeof range === "string") throw invalid("cidr", `${quoted(cidr)}: ${range}`);
    for (const other of all()) {
      const theirs = parseCidr(other.cidr);
      if (typeof theirs !== "string" && overlap(range, theirs)) {
        throw invalid("cidr", `${cidr} overlaps ${other.cidr} of the network ${quoted(other.name)}`);
      }
    }
  };
  const freeBridge = (): string => {
    const used = new Set(all().map(({ bridge }) => bridge));
    for (let number = 1; ; number++) if (!used.has(`joblet${number}`)) return `joblet${number}`;
  };

  const service: NetworkServiceHandler = {
    async createNetwork({ name, cidr }) {
      check(name, cidr);
      const network = { name, cidr, bridge: freeBridge() };
      made.set(name, network);
      await save().catch((error: unknown) => {
        made.delete(name);
        // As the contract says: any failure.
        throw invalid("name", RpcError.from(error).rawMessage);
      });
      return network;
    },
    listNetworks: () => ({
      networks: all().map((network) => ({ ...network, jobCount: usage.ofNetwork(network.name) })),
    }),
    async removeNetwork({ name }) {
      if (builtInNetworks.includes(name)) return refused(`${quoted(name)} is built in and cannot be removed`);
      if (!made.has(name)) return refused(`there is no network ${quoted(name)}`);
      const jobs = usage.ofNetwork(name);
      if (jobs > 0) return refused(`the network ${quoted(name)} is in use by ${jobs} jobs`);
      made.delete(name);
      try {
        await save();
      } catch (error) {
        return refused(`the network ${quoted(name)} could not be removed: ${RpcError.from(error).rawMessage}`);
      }
      return { success: true, message: `the network ${quoted(name)} was removed` };
    },
  };
  return {
    lookup: { has: (name) => builtInNetworks.includes(name) || made.has(name) },
    register: (registry) => void registry.service(NetworkService, service),
  };
}

function refused(message: string): { success: false; message: string } {
  return { success: false, message };
}
