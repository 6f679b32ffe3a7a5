// Serves System (the running shape) and SystemInfo (the seed's).
import os from "node:os";
import type { Handlers } from "@guestwire/rpc";
import type { SystemInfo } from "@guestwire/system";
import type { System } from "@guestwire/system/vminitd";
import { version } from "../version.js";
import type { Filesystems } from "./filesystems.js";
import type { Hardware } from "./hardware.js";
import { kernelText, readMemory } from "./kernel.js";

/** What the System service is made of. */
export interface SystemParts {
  readonly hardware: Hardware;
  readonly filesystems: Filesystems;
  /** Stops all containers, so that nothing is lost when the power goes. */
  prepareShutdown(): Promise<void>;
}

/** The running shape. */
export function createSystemService({ hardware, filesystems, prepareShutdown }: SystemParts): Handlers<typeof System> {
  return {
    info: async () => ({ version, kernelVersion: await kernelText() }),
    async prepareShutdown() {
      await prepareShutdown();
      return {};
    },
    freezeFilesystems: async () => ({ frozen: await filesystems.freeze() }),
    async thawFilesystems() {
      await filesystems.thaw();
      return {};
    },
    async offlineCPU({ cpuId }) {
      await hardware.offlineCpu(cpuId);
      return {};
    },
    async onlineCPU({ cpuId }) {
      await hardware.onlineCpu(cpuId);
      return {};
    },
    async offlineMemory({ memoryId }) {
      await hardware.offlineMemory(memoryId);
      return {};
    },
    async onlineMemory({ memoryId }) {
      await hardware.onlineMemory(memoryId);
      return {};
    },
  };
}

/** The seed's shape: kernel release, memory, CPUs. */
export function createSystemInfoService(): Handlers<typeof SystemInfo> {
  return {
    async systemInfo() {
      const { total } = await readMemory();
      return { kernelVersion: os.release(), memoryBytes: total, cpuCount: os.availableParallelism() };
    },
  };
}
