// Measurements of a machine whose files the tests write, with the exact numbers that must come of them.
import { hostname } from "node:os";
import { afterEach, expect, test } from "vitest";
import type { MonitoringOptions } from "./monitoring.js";
import { address, processFiles, type TestMonitoring, testMonitoring } from "./monitoring.test.support.js";

const cleanup: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function open(files: Readonly<Record<string, string>>, options?: MonitoringOptions): Promise<TestMonitoring> {
  const monitoring = await testMonitoring(files, options);
  cleanup.push(() => monitoring[Symbol.asyncDispose]());
  return monitoring;
}

const stat = `cpu  1000 100 500 8000 200 30 20 150 40 0
cpu0 500 50 250 4000 100 15 10 75 20 0
cpu1 500 50 250 4000 100 15 10 75 20 0
intr 1 2 3
btime 1700000000
`;
const meminfo = `MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     600 kB
Buffers:           50 kB
Cached:           400 kB
SwapTotal:        200 kB
SwapFree:         150 kB
`;
const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9000 90 0 0 0 0 0 0 9000 90 0 0 0 0 0 0
  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
veth12: 7 7 0 0 0 0 0 0 7 7 0 0 0 0 0 0
`;
const machine = { "proc/stat": stat, "proc/loadavg": "0.50 1.25 2.00 1/100 42\n", "proc/meminfo": meminfo };

test("processors: times, load, and use since the measurement before", async () => {
  const { client, put } = await open(machine);
  const first = (await client.getSystemStatus({})).cpu;
  expect(first).toMatchObject({ cores: 2, userTime: 11, systemTime: 5.5, idleTime: 80, ioWaitTime: 2, stealTime: 1.5 });
  expect(first?.loadAverage).toEqual([0.5, 1.25, 2]);
  // Nothing has happened since it was opened.
  expect([first?.usagePercent, first?.perCoreUsage]).toEqual([0, [0, 0]]);
  await put({
    "proc/stat": stat.replace("cpu  1000 100 500 8000", "cpu  1040 100 520 8040").replace("cpu1 500", "cpu1 530"),
  });
  const second = (await client.getSystemStatus({})).cpu;
  expect([second?.usagePercent, second?.perCoreUsage]).toEqual([60, [0, 100]]);
});

test("memory and swap", async () => {
  const { client } = await open(machine);
  expect((await client.getSystemStatus({})).memory).toMatchObject({
    totalBytes: 1_024_000n,
    usedBytes: 409_600n,
    freeBytes: 102_400n,
    availableBytes: 614_400n,
    usagePercent: 40,
    cachedBytes: 409_600n,
    bufferedBytes: 51_200n,
    swapTotal: 204_800n,
    swapUsed: 51_200n,
    swapFree: 153_600n,
  });
});

test("networks: without the loopback and virtual ones, with rates and addresses", async () => {
  const mac = "5e:9f:b0:c0:61:22";
  const interfaces = () => ({
    lo: [address("127.0.0.1", "")],
    eth0: [address("10.0.0.5", mac), address("fe80::1", mac)],
    veth12: [address("172.17.0.1", "")],
  });
  const files = { ...machine, "proc/net/dev": netDev, "sys/class/net/eth0/address": `${mac}\n` };
  const monitoring = await open(files, { interfaces });
  const { client } = monitoring;
  const first = await client.getSystemStatus({});
  expect(first.networks).toMatchObject([
    {
      interface: "eth0",
      bytesReceived: 1000n,
      packetsReceived: 10n,
      errorsIn: 1n,
      dropsIn: 2n,
      bytesSent: 2000n,
      packetsSent: 20n,
      errorsOut: 3n,
      dropsOut: 4n,
      receiveRate: 0,
      transmitRate: 0,
      ipAddresses: ["10.0.0.5", "fe80::1"],
      macAddress: mac,
    },
  ]);
  expect([first.host?.serverIps, first.host?.macAddresses]).toEqual([["10.0.0.5", "fe80::1"], [mac]]);
  monitoring.ms = 2000;
  await monitoring.put({ "proc/net/dev": netDev.replace("eth0: 1000", "eth0: 5000") });
  expect((await client.getSystemStatus({})).networks).toMatchObject([{ receiveRate: 2000, transmitRate: 0 }]);
  // One that came up anew counts from nothing: no rate below zero.
  monitoring.ms = 4000;
  await monitoring.put({ "proc/net/dev": netDev.replace("eth0: 1000", "eth0: 3") });
  expect((await client.getSystemStatus({})).networks).toMatchObject([{ bytesReceived: 3n, receiveRate: 0 }]);
});

test("block devices: whole ones, and sums that count no work twice", async () => {
  const diskstats = (sectors: number, busy: number): string => `   7 0 loop0 9 0 9 9 9 0 9 9 0 9 9
 254 0 vda 100 0 ${sectors} 30 50 0 4 20 0 ${busy} 0
 254 1 vda1 100 0 16 30 50 0 4 20 0 ${busy} 0
 253 0 dm-0 70 0 10 3 5 0 2 2 0 4 0
`;
  const monitoring = await open({
    ...machine,
    "proc/diskstats": diskstats(16, 400),
    "sys/block/vda/size": "1\n",
    "sys/block/loop0/size": "1\n",
    "sys/block/dm-0/slaves/vda1/size": "1\n",
  });
  const { client } = monitoring;
  expect((await client.getSystemStatus({})).io).toMatchObject({
    totalReads: 100n,
    totalWrites: 50n,
    readBytes: 8192n,
    writeBytes: 2048n,
    readRate: 0,
    diskIo: [
      { device: "vda", readsCompleted: 100n, readTime: 30n, writesCompleted: 50n, writeTime: 20n, ioTime: 400n },
      { device: "dm-0", readBytes: 5120n, writeBytes: 1024n },
    ],
  });
  monitoring.ms = 1000;
  await monitoring.put({ "proc/diskstats": diskstats(24, 650) });
  expect((await client.getSystemStatus({})).io).toMatchObject({
    readBytes: 12_288n,
    readRate: 4096,
    writeRate: 0,
    diskIo: [{ utilization: 25 }, { utilization: 0 }],
  });
});

test("processes: counted by state, and those on top", async () => {
  const files = {
    ...machine,
    "proc/uptime": "100.50 20.00\n",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n",
    ...processFiles(1, {
      name: "init",
      ppid: 0,
      ticks: 100,
      startedAt: 50,
      kilobytes: 100,
      command: "/sbin/init\0-s\0",
    }),
    ...processFiles(7, {
      name: "a) b (c",
      state: "R",
      threads: 3,
      ticks: 1000,
      startedAt: 50,
      kilobytes: 200,
      uid: 1000,
    }),
    ...processFiles(8, { name: "stopped", state: "T" }),
    ...processFiles(9, { name: "zombie", state: "Z" }),
    ...processFiles(10, { name: "kernel", state: "I" }),
    ...Object.assign({}, ...Array.from({ length: 10 }, (_, index) => processFiles(100 + index, { name: "many" }))),
    "proc/self/stat": "not a process",
  };
  const monitoring = await open(files);
  const { client } = monitoring;
  monitoring.ms = 1000;
  const first = (await client.getSystemStatus({})).processes;
  expect(first).toMatchObject({
    totalProcesses: 15,
    runningProcesses: 1,
    sleepingProcesses: 12,
    stoppedProcesses: 1,
    zombieProcesses: 1,
    totalThreads: 17,
  });
  // Since their starts, 100 seconds ago.
  expect(first?.topByCpu.slice(0, 2)).toMatchObject([
    {
      pid: 7,
      ppid: 1,
      name: "a) b (c",
      command: "[a) b (c]",
      cpuPercent: 10,
      memoryPercent: 20,
      memoryBytes: 204_800n,
      status: "running",
      startTime: "2023-11-14T22:13:20.500Z",
      user: "ada",
    },
    { pid: 1, command: "/sbin/init -s", cpuPercent: 1, status: "sleeping", user: "root" },
  ]);
  expect(first?.topByCpu).toHaveLength(10);
  expect(first?.topByMemory.slice(0, 2).map(({ pid }) => pid)).toEqual([7, 1]);

  // Since the measurement before; one that has a used id counts from its own start.
  monitoring.ms = 2000;
  await monitoring.put({
    ...processFiles(1, { name: "init", ticks: 150, startedAt: 50 }),
    ...processFiles(7, { name: "new", ticks: 5, startedAt: 10_000 }),
  });
  const second = (await client.getSystemStatus({})).processes;
  expect(second?.topByCpu.slice(0, 2)).toMatchObject([
    { pid: 1, cpuPercent: 50 },
    { pid: 7, name: "new", cpuPercent: 10 },
  ]);
});

test("the host", async () => {
  const { client } = await open(
    {
      ...machine,
      "proc/uptime": "4242.90 1.00\n",
      "proc/sys/kernel/hostname": "box\n",
      "proc/sys/kernel/osrelease": "6.1.0-test\n",
      "etc/os-release":
        'PRETTY_NAME="Ubuntu 22.04.2 LTS"\nNAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n',
    },
    { nodeId: "node-7", interfaces: () => ({}) },
  );
  const status = await client.getSystemStatus({});
  expect(status.timestamp).toBe("2023-11-14T22:13:20.000Z");
  expect(status.available).toBe(true);
  expect(status.host).toMatchObject({
    hostname: "box",
    os: "Ubuntu 22.04.2 LTS",
    platform: "ubuntu",
    platformFamily: "debian",
    platformVersion: "22.04",
    kernelVersion: "6.1.0-test",
    cpuCount: 2,
    totalMemory: 1_024_000n,
    bootTime: "2023-11-14T22:13:20.000Z",
    uptime: 4242n,
    nodeId: "node-7",
    serverIps: [],
    macAddresses: [],
  });
  expect(status.serverVersion).toMatchObject({ component: "guestwire-guest", protoTag: "v2.5.8" });
  expect(status.serverVersion?.version).toMatch(/^v\d+\.\d+\.\d+/);
});

test.each([
  [{ sys_vendor: "Amazon EC2", product_name: "t3.medium", board_asset_tag: "i-0abc1" }, "AWS", "KVM", "t3.medium"],
  [{ sys_vendor: "Amazon EC2", product_name: "m5.metal" }, "AWS", "", "m5.metal"],
  [{ sys_vendor: "Google", product_name: "Google Compute Engine" }, "GCP", "KVM", ""],
  [
    { sys_vendor: "Microsoft Corporation", chassis_asset_tag: "7783-7084-3265-9085-8269-3286-77" },
    "Azure",
    "Hyper-V",
    "",
  ],
  [{ sys_vendor: "Microsoft Corporation", product_name: "Virtual Machine" }, "Hyper-V", "Hyper-V", ""],
  [{ sys_vendor: "QEMU", product_name: "Standard PC" }, "KVM", "KVM", ""],
  [{ sys_vendor: "VMware, Inc." }, "VMware", "VMware", ""],
])("the firmware %j means %s", async (dmi, provider, hypervisorType, instanceType) => {
  const files = Object.entries(dmi).map(([name, text]) => [`sys/class/dmi/id/${name}`, `${text}\n`]);
  const { client } = await open({ ...machine, ...Object.fromEntries(files) });
  const { cloud } = await client.getSystemStatus({});
  expect(cloud).toMatchObject({ provider, hypervisorType, instanceType });
  expect(cloud?.metadata["sys_vendor"]).toBe(dmi.sys_vendor);
});

test("a machine that tells little is no error", async () => {
  const { client } = await open({ "proc/stat": "" }, { interfaces: () => ({}) });
  const status = await client.getSystemStatus({});
  expect(status.available).toBe(false);
  expect(status.cloud).toBeUndefined();
  expect(status.host?.hostname).toBe(hostname());
  expect([status.disks, status.networks, status.io?.diskIo, status.processes?.totalProcesses]).toEqual([[], [], [], 0]);
});
