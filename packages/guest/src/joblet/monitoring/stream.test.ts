// StreamSystemMetrics: when it measures, what, and for how long. And once on the machine that the tests run on.
import { MonitoringService, VolumeService } from "@guestwire/joblet";
import { Code, createClient } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { testJoblet } from "../joblet.test.support.js";
import { testMonitoring } from "./monitoring.test.support.js";
import { realRoots } from "./roots.js";

const files = {
  "proc/stat": "cpu  100 0 0 100 0 0 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\n",
  "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\n",
  "proc/1/stat": "1 (init) S 0",
};

test("the first measurement comes at once, the next one an interval later, with what happened since", async () => {
  const started = performance.now();
  await using monitoring = await testMonitoring(files, { ticks: () => performance.now() });
  const stream = monitoring.client.streamSystemMetrics({ intervalSeconds: 1, metricTypes: ["cpu"] });
  expect((await stream.next()).value?.timestamp).toBe("2023-11-14T22:13:20.000Z");
  await monitoring.put({ "proc/stat": files["proc/stat"].replaceAll("100 0 0 100", "130 0 0 110") });
  expect((await stream.next()).value?.cpu).toMatchObject({ cores: 1, usagePercent: 75, perCoreUsage: [75] });
  expect(performance.now() - started).toBeGreaterThanOrEqual(1000);
  await stream.return();
});

test.each([
  ["cpu", "cpu"],
  ["memory", "memory"],
  ["io", "io"],
  ["process", "processes"],
] as const)("only what is asked for is measured: %s", async (metricType, field) => {
  await using monitoring = await testMonitoring(files);
  const stream = monitoring.client.streamSystemMetrics({ metricTypes: [metricType] });
  const { value } = await stream.next();
  for (const each of ["cpu", "memory", "io", "processes"] as const) {
    expect([each, value?.[each] !== undefined]).toEqual([each, each === field]);
  }
  expect(value?.host).toBeDefined();
  await stream.return();
});

test.each([
  [{ intervalSeconds: -1 }, "interval_seconds: -1 is less than 1: invalid argument"],
  [
    { metricTypes: ["cpu", "gpu"] },
    'metric_types[1]: "gpu" is not measured: cpu, memory, disk, network, io, process: invalid argument',
  ],
])("%j is refused", async (request, message) => {
  await using monitoring = await testMonitoring(files);
  const error = await errorOf(monitoring.client.streamSystemMetrics(request));
  expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, message]);
});

test("a slow reader gets fewer measurements, not a queue of them", async () => {
  let now = 0;
  let measured = 0;
  await using monitoring = await testMonitoring(files, {
    // Every interval has passed as soon as it begins.
    ticks: () => (now += 10_000),
    interfaces: () => {
      measured++;
      return {};
    },
  });
  const { client } = monitoring;
  const slow = client.streamSystemMetrics({ metricTypes: ["memory"] });
  await slow.next();
  const fast = client.streamSystemMetrics({ metricTypes: ["memory"] });
  for (let count = 0; count < 200; count++) await fast.next();
  // What the channel itself lets wait for a reader, and no more.
  expect(measured).toBeLessThan(200 + 2 * 20);
  await fast.return();
  await slow.return();
});

test.each(["canceled", "closed"])("a stream that is %s ends at once and leaves no timer", async (how) => {
  await using monitoring = await testMonitoring(files);
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const canceled = new AbortController();
  const day = { intervalSeconds: 2 ** 31 - 1, metricTypes: ["memory"] };
  const stream = monitoring.client.streamSystemMetrics(day, { signal: canceled.signal });
  await stream.next();
  const end = errorOf(stream);
  // The service waits as soon as it has answered something else.
  await monitoring.client.getSystemStatus({});
  expect(timers()).toBe(before + 1);
  if (how === "canceled") canceled.abort();
  else await monitoring.close();
  expect((await end).code).toBe(how === "canceled" ? Code.Canceled : Code.Unavailable);
  expect(timers()).toBe(before);
});

test("a guest tells its node's name and its volumes", async () => {
  await using joblet = await testJoblet();
  const { path } = await createClient(VolumeService, joblet.channel).createVolume({ name: "data", size: "1MB" });
  const { host, disks } = await createClient(MonitoringService, joblet.channel).getSystemStatus({});
  expect(host?.nodeId).toBe("node-1");
  expect(disks.filter(({ filesystem }) => filesystem === "joblet-volume")).toMatchObject([
    { device: "data", mountPoint: path, totalBytes: 1_048_576n },
  ]);
});

test("this machine", async () => {
  await using monitoring = await testMonitoring({}, { roots: realRoots, ticks: () => performance.now() });
  const status = await monitoring.client.getSystemStatus({});
  expect(status.available).toBe(true);
  expect(status.cpu?.cores).toBeGreaterThan(0);
  expect(status.cpu?.perCoreUsage).toHaveLength(status.cpu?.cores as number);
  const { totalBytes = 0n, usedBytes = 0n } = status.memory ?? {};
  expect(usedBytes).toBeGreaterThan(0n);
  expect(usedBytes).toBeLessThan(totalBytes);
  expect(status.host?.uptime).toBeGreaterThan(0n);
  expect(Date.parse(status.host?.bootTime as string)).toBeLessThan(Date.now());
  const { processes } = status;
  expect(processes?.totalProcesses).toBeGreaterThan(1);
  expect(processes?.totalThreads).toBeGreaterThanOrEqual(processes?.totalProcesses as number);
  expect(processes?.topByMemory[0]?.memoryBytes).toBeGreaterThan(0n);
  for (const disk of status.disks) expect(disk.usedBytes + disk.freeBytes).toBe(disk.totalBytes);
});
