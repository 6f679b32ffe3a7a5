// What is remembered of a machine: checked when it is made, kept as JSON, read again after a restart.
import { readFile } from "node:fs/promises";
import os from "node:os";
import type { CreateMachineRequest } from "@guestwire/machine";
import { invalid, quoted, unsupported } from "../errors.js";
import { checkSharedFolders } from "../files/shared-folders.js";
import { readDistribution, readMemory } from "../system/kernel.js";

/** A machine as it was asked for, with what was left open filled in. JSON. */
export interface MachineRecord {
  readonly name: string;
  readonly cpus: number;
  /** In bytes; a decimal number, as JSON has no large ones. */
  readonly memory: string;
  /** In bytes, as `memory`. */
  readonly diskSize: string;
  readonly distro: string;
  readonly version: string;
  readonly arch: string;
  readonly mounts: readonly { readonly hostPath: string; readonly guestPath: string }[];
  readonly sshPublicKey: string;
  /** In milliseconds since 1970. */
  readonly createdAt: number;
  /** When it was last started, as `createdAt`; 0 for never. */
  readonly startedAt: number;
}

const mebibyte = 2n ** 20n;
const gibibyte = 2n ** 30n;
// Beyond what Linux runs on.
const mostCpus = 8192;
const mostMemory = 2n ** 52n;
const mostDisk = 2n ** 63n;

/**
 * Makes the record of a new machine.
 *
 * @param freeDisk Bytes that are free where machines live, for a machine without a disk size.
 * @param now In milliseconds since 1970.
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong; Code.Unimplemented for what a local process
 * cannot have: a kernel of its own, read-only mounts.
 */
export async function newRecord(request: CreateMachineRequest, freeDisk: bigint, now: number): Promise<MachineRecord> {
  checkName(request.name);
  if (request.kernel !== "") throw unsupported("kernel: a machine of this guest boots no kernel of its own");
  if (request.cmdline !== "") throw unsupported("cmdline: a machine of this guest boots no kernel of its own");
  checkSize("cpus", BigInt(request.cpus), 1n, BigInt(mostCpus));
  checkSize("memory", request.memory, mebibyte, mostMemory);
  checkSize("disk_size", request.diskSize, gibibyte, mostDisk);
  if (/[\r\n\0]/.test(request.sshPublicKey)) throw invalid("ssh_public_key", "must be one line");
  const [host, { total }] = await Promise.all([readDistribution(), readMemory()]);
  return {
    name: request.name,
    cpus: request.cpus || os.availableParallelism(),
    memory: String(request.memory || total),
    diskSize: String(request.diskSize || freeDisk),
    distro: request.distro || host.id,
    version: request.version || (request.distro === "" ? host.version : ""),
    arch: checkArch(request.arch),
    mounts: await checkMounts(request),
    sshPublicKey: request.sshPublicKey,
    createdAt: now,
    startedAt: 0,
  };
}

/** Reads a record. @returns `undefined` where there is none that can be read. */
export async function readRecord(path: string): Promise<MachineRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as MachineRecord;
    return typeof record.name === "string" && typeof record.createdAt === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}

function checkName(name: string): void {
  if (name === "") throw invalid("name", "must not be empty");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    const rule =
      "a name has at most 63 letters, digits, dots, dashes and underscores and begins with a letter or digit";
    throw invalid("name", `${quoted(name)} is no machine name: ${rule}`);
  }
}

function checkSize(field: string, value: bigint, least: bigint, most: bigint): void {
  if (value !== 0n && (value < least || value > most)) {
    throw invalid(field, `${value} is impossible: it must be 0 for the host's own, or ${least} to ${most}`);
  }
}

/** A local process has the host's architecture and no other. */
function checkArch(arch: string): string {
  const host = os.machine();
  const known: Record<string, string> = { arm64: "aarch64", amd64: "x86_64" };
  if (arch !== "" && (known[arch] ?? arch) !== host) {
    throw invalid("arch", `${quoted(arch)} is not this host's architecture, ${host}`);
  }
  return host;
}

async function checkMounts({ mounts }: CreateMachineRequest): Promise<MachineRecord["mounts"]> {
  const wanted = mounts.map(({ hostPath, guestPath, readonly }) => ({ host: hostPath, inside: guestPath, readonly }));
  const checked = await checkSharedFolders(wanted, { host: "host_path", inside: "guest_path" });
  return checked.map(({ host, inside }) => ({ hostPath: host, guestPath: inside }));
}
