// Space on file systems and volumes: which ones, with what numbers, and what happens to those that do not answer.
import type { BigIntStatsFs } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { MonitoringOptions } from "./monitoring.js";
import { type TestMonitoring, testMonitoring } from "./monitoring.test.support.js";

const cleanup: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function open(files: Readonly<Record<string, string>>, options?: MonitoringOptions): Promise<TestMonitoring> {
  const monitoring = await testMonitoring(files, options);
  cleanup.push(() => monitoring[Symbol.asyncDispose]());
  return monitoring;
}

const machine = { "proc/stat": "cpu0 1 0 0 1 0 0 0 0 0 0\n" };
const line = (id: string, root: string, point: string, type: string, device: string): string =>
  `22 27 ${id} ${root} ${point} rw,relatime shared:1 - ${type} ${device} rw\n`;
const filesystems = "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\nnodev\tnfs\n\text4\n\tfuseblk\n";
// 1,000 blocks of 10 bytes, 400 of them used; 50 inodes, 20 used.
const some = {
  type: 0n,
  bsize: 10n,
  blocks: 1000n,
  bfree: 600n,
  bavail: 500n,
  files: 50n,
  ffree: 30n,
} as BigIntStatsFs;

test("each once, with their space", async () => {
  const { client } = await open(
    {
      ...machine,
      "proc/filesystems": filesystems,
      "proc/self/mountinfo":
        line("0:21", "/", "/proc", "proc", "proc") +
        line("0:22", "/", "/tmp", "tmpfs", "tmpfs") +
        line("8:1", "/hosts", "/etc/hosts", "ext4", "/dev/sda1") +
        line("8:1", "/", "/", "ext4", "/dev/sda1") +
        line("0:30", "/", "/mnt/share", "nfs", "server:/x") +
        line("8:3", "/", "/mnt/ntfs", "fuseblk", "/dev/sda3") +
        line("8:2", "/", "/mnt/my\\040disk", "ext4", "/dev/sda2"),
    },
    { statfs: async () => some },
  );
  const space = { totalBytes: 10_000n, usedBytes: 4000n, freeBytes: 6000n, usagePercent: 40 };
  const inodes = { inodesTotal: 50n, inodesUsed: 20n, inodesFree: 30n, inodesUsagePercent: 40 };
  expect((await client.getSystemStatus({})).disks).toMatchObject([
    { device: "/dev/sda1", mountPoint: "/", filesystem: "ext4", ...space, ...inodes },
    { device: "/dev/sda2", mountPoint: "/mnt/my disk", filesystem: "ext4", ...space, ...inodes },
  ]);
});

test("one that hangs is left out and asked only once; one that fails is left out", async () => {
  const asked: string[] = [];
  const hang = Promise.withResolvers<BigIntStatsFs>();
  const { client } = await open(
    {
      ...machine,
      "proc/self/mountinfo":
        line("8:1", "/", "/hangs", "ext4", "a") +
        line("8:2", "/", "/fails", "ext4", "b") +
        line("8:3", "/", "/works", "ext4", "c"),
    },
    {
      answerMs: 5,
      statfs(path) {
        asked.push(path);
        if (path === "/hangs") return hang.promise;
        return path === "/fails" ? Promise.reject(new Error("gone")) : Promise.resolve(some);
      },
    },
  );
  const points = async (): Promise<string[]> =>
    (await client.getSystemStatus({})).disks.map(({ mountPoint }) => mountPoint);
  expect([await points(), await points()]).toEqual([["/works"], ["/works"]]);
  expect(asked.filter((path) => path === "/hangs")).toHaveLength(1);
  hang.resolve(some);
  expect(await points()).toEqual(["/hangs", "/works"]);
});

test("Joblet's volumes, with what is in them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-volume-"));
  cleanup.push(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "inner"));
  await writeFile(join(folder, "inner/file"), Buffer.alloc(100_000, 1));
  const volumes = () => [{ name: "data", folder, bytes: 1_000_000 }];
  const { client } = await open(machine, { volumes });
  const [disk, ...others] = (await client.getSystemStatus({})).disks;
  expect(others).toEqual([]);
  expect(disk).toMatchObject({
    device: "data",
    mountPoint: folder,
    filesystem: "joblet-volume",
    totalBytes: 1_000_000n,
  });
  expect(disk?.usedBytes).toBeGreaterThanOrEqual(100_000n);
  expect((disk?.usedBytes ?? 0n) + (disk?.freeBytes ?? 0n)).toBe(1_000_000n);
});
