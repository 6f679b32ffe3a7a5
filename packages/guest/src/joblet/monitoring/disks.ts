// Space on the mounted file systems and in Joblet's volumes. Whoever does not answer in time is left out, and is not
// asked again before it has answered.
import type { BigIntStatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DiskMetricsSchema } from "@guestwire/joblet";
import { measure } from "../../files/usage.js";
import { settledWithin } from "../../wait.js";
import { kernelAnswerMs, volumeUsageMs } from "../limits.js";
import { type Mount, readMounts } from "./mounts.js";
import { percent, type Roots } from "./roots.js";

type DiskMessage = MessageInitShape<typeof DiskMetricsSchema>;

/** A volume of Joblet. */
export interface MonitoredVolume {
  readonly name: string;
  /** Absolute path. */
  readonly folder: string;
  /** What it may hold, bytes. */
  readonly bytes: number;
}

/** How disks are looked at. */
export interface DiskOptions {
  readonly roots: Roots;
  /** Default: none. */
  readonly volumes?: (() => Iterable<MonitoredVolume>) | undefined;
  /** Asks the kernel. Default that of node:fs. */
  readonly statfs?: ((path: string) => Promise<BigIntStatsFs>) | undefined;
  /** How long it may take, in milliseconds. Default {@link kernelAnswerMs}. */
  readonly answerMs?: number | undefined;
}

/** Looks at disks. */
export class Disks {
  readonly #options: DiskOptions;
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #used = new Map<string, { bytes: bigint; at: number }>();

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** The messages: file systems, then volumes. */
  async read(): Promise<DiskMessage[]> {
    const { roots, volumes = () => [] } = this.#options;
    const all = [...volumes()];
    for (const folder of this.#used.keys()) {
      if (!all.some((volume) => volume.folder === folder)) this.#used.delete(folder);
    }
    const mounts = (await readMounts(roots)).map((mount) => this.#ofMount(mount));
    const found = await Promise.all([...mounts, ...all.map((volume) => this.#ofVolume(volume))]);
    return found.filter((message) => message !== undefined);
  }

  async #ofMount({ device, point, type }: Mount): Promise<DiskMessage | undefined> {
    const ask = this.#options.statfs ?? ((path: string) => statfs(path, { bigint: true }));
    const found = await this.#inTime(`mount ${point}`, () => ask(point));
    // File systems without any space are the kernel's own.
    if (found === undefined || found.blocks === 0n) return undefined;
    const { bsize, blocks, bfree, files, ffree } = found;
    return {
      device,
      mountPoint: point,
      filesystem: type,
      ...space(blocks * bsize, (blocks - bfree) * bsize),
      inodesTotal: files,
      inodesUsed: files - ffree,
      inodesFree: ffree,
      inodesUsagePercent: percent(Number(files - ffree), Number(files)),
    };
  }

  async #ofVolume({ name, folder, bytes }: MonitoredVolume): Promise<DiskMessage | undefined> {
    const before = this.#used.get(folder);
    if (before === undefined || performance.now() - before.at >= volumeUsageMs) {
      await this.#inTime(`volume ${folder}`, async () => {
        const used = await measure(folder, undefined);
        this.#used.set(folder, { bytes: BigInt(used.bytes), at: performance.now() });
      });
    }
    const used = this.#used.get(folder);
    if (used === undefined) return undefined;
    return { device: name, mountPoint: folder, filesystem: "joblet-volume", ...space(BigInt(bytes), used.bytes) };
  }

  /** One question at a time about each thing. @returns `undefined` where there is no answer in time. */
  async #inTime<T>(key: string, ask: () => Promise<T>): Promise<T | undefined> {
    let asked = this.#asked.get(key) as Promise<T | undefined> | undefined;
    if (asked === undefined) {
      // What cannot be read is left out.
      asked = ask().catch(() => undefined);
      this.#asked.set(key, asked);
      void asked.finally(() => this.#asked.delete(key));
    }
    const inTime = await settledWithin(asked, this.#options.answerMs ?? kernelAnswerMs);
    return inTime ? asked : undefined;
  }
}

/** Volumes may hold more than they should, as nothing keeps them from it. */
function space(totalBytes: bigint, usedBytes: bigint): DiskMessage {
  const freeBytes = totalBytes > usedBytes ? totalBytes - usedBytes : 0n;
  return { totalBytes, usedBytes, freeBytes, usagePercent: percent(Number(usedBytes), Number(totalBytes)) };
}
