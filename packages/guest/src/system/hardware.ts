// CPUs and memory blocks as /sys shows them: taken into use and out of use, by the rules of the System service.
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "@guestwire/rpc";
import { failure, invalid, isSystemError, missing, textOf, wrongState } from "../errors.js";
import { cpuWaitMs } from "../limits.js";

/** What may be done to the hardware, and where it is seen. */
export interface HardwareOptions {
  /** Whether CPUs and memory may really be changed. */
  readonly allowed: boolean;
  /** Where sysfs is. */
  readonly sysRoot: string;
}

/** Changes to CPUs and memory. */
export interface Hardware {
  /** @throws {RpcError} InvalidArgument for CPU 0; NotFound; FailedPrecondition when the kernel cannot do without it. */
  offlineCpu(id: number): Promise<void>;
  /** Waits up to two seconds for the CPU. @throws {RpcError} NotFound. */
  onlineCpu(id: number): Promise<void>;
  /** @throws {RpcError} NotFound; FailedPrecondition when the kernel cannot do without it. */
  offlineMemory(id: number): Promise<void>;
  /** @throws {RpcError} NotFound. */
  onlineMemory(id: number): Promise<void>;
}

/** Everything throws `PermissionDenied` besides, where a change is due and not allowed. */
export function createHardware({ allowed, sysRoot }: HardwareOptions): Hardware {
  const cpu = (id: number): string => join(sysRoot, `devices/system/cpu/cpu${id}`);
  const block = (id: number): string => join(sysRoot, `devices/system/memory/memory${id}`);
  const change = async (what: string, path: string, value: string): Promise<void> => {
    if (!allowed) {
      throw failure(
        Code.PermissionDenied,
        `${what}: this guest does not change its host's hardware; start it with --manage-hardware to let it`,
      );
    }
    try {
      await writeFile(path, value);
    } catch (error) {
      throw failure(isDenied(error) ? Code.PermissionDenied : Code.Unknown, `${what}: ${textOf(error)}`, error);
    }
  };
  return {
    async offlineCpu(id) {
      if (id === 0) throw invalid("cpu_id", "CPU 0 cannot be taken out of use");
      if (!(await there(cpu(id)))) throw missing("cpu", String(id), "the host has no such CPU");
      const online = await value(join(cpu(id), "online"));
      if (online === "0") return;
      if (online === undefined) throw wrongState(`cpus/${id}`, "the kernel cannot take it out of use");
      await change(`CPU ${id}`, join(cpu(id), "online"), "0");
    },
    async onlineCpu(id) {
      if (id === 0) return;
      if (!(await shows(cpu(id)))) throw missing("cpu", String(id), "the host has no such CPU");
      const online = await value(join(cpu(id), "online"));
      // A CPU without the file is always in use.
      if (online !== "0") return;
      await change(`CPU ${id}`, join(cpu(id), "online"), "1");
    },
    async offlineMemory(id) {
      if (!(await there(block(id)))) throw missing("memory block", String(id), "the host has no such memory block");
      if ((await value(join(block(id), "state"))) === "offline") return;
      if ((await value(join(block(id), "removable"))) === "0") {
        throw wrongState(`memory/${id}`, "the kernel cannot do without this block");
      }
      await change(`memory block ${id}`, join(block(id), "state"), "offline");
    },
    async onlineMemory(id) {
      if (!(await there(block(id)))) throw missing("memory block", String(id), "the host has no such memory block");
      if ((await value(join(block(id), "state"))) === "online") return;
      if ((await value(join(sysRoot, "devices/system/memory/auto_online_blocks")))?.startsWith("online")) return;
      await change(`memory block ${id}`, join(block(id), "state"), "online");
    },
  };
}

async function there(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function shows(path: string): Promise<boolean> {
  const until = performance.now() + cpuWaitMs;
  while (!(await there(path))) {
    if (performance.now() >= until) return false;
    await sleep(50);
  }
  return true;
}

async function value(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text?.trim();
}

function isDenied(error: unknown): boolean {
  return isSystemError(error, "EACCES", "EPERM", "EROFS");
}
