import { once } from "node:events";
import { createServer, connect as dial, type Server } from "node:net";
import { dateFromNs, type JobMetricsEvent, type TelematicsEvent } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { type TestJoblet, testJoblet } from "../joblet.test.support.js";
import { readAddress } from "./sockets.js";

let joblet: TestJoblet;

beforeAll(async () => {
  joblet = await testJoblet({ sampleMs: 10, metricsMs: 10 });
});

afterAll(() => joblet[Symbol.asyncDispose]());

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of stream) found.push(item);
  return found;
}

test("measurements of a job: the first at once, then live, the same again when it is over", async () => {
  const { jobs } = joblet;
  const script = "a=$(head -c 20000000 /dev/zero | tr '\\0' a); while :; do :; done";
  const { jobUuid, startTime } = await jobs.runJob({ command: "sh", args: ["-c", script], maxMemory: 4096 });
  const live: JobMetricsEvent[] = [];
  for await (const event of jobs.streamJobMetrics({ jobUuid })) {
    live.push(event);
    // Until it has been seen at work.
    if (live.length > 4 && event.cpuPercent > 10 && event.memoryBytes > 20_000_000n) break;
  }
  const ending = all(jobs.streamJobMetrics({ jobUuid: jobUuid.slice(0, 8) }));
  await jobs.stopJob({ uuid: jobUuid });
  const events = await ending;
  expect(events.slice(0, live.length)).toEqual(live);
  expect(await all(jobs.streamJobMetrics({ jobUuid }))).toEqual(events);
  expect(await all(jobs.getJobMetrics({ jobUuid }))).toEqual(events);
  for (const event of events) expect(event).toMatchObject({ jobUuid, memoryLimit: 4096n * 2n ** 20n });
  const first = dateFromNs(events[0]?.timestamp ?? 0n).getTime();
  expect(Math.abs(first - Date.parse(startTime))).toBeLessThan(5000);
  const times = events.map(({ timestamp }) => timestamp);
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));

  const third = times[2] as bigint;
  const some = await all(jobs.getJobMetrics({ jobUuid, startTime: third, limit: 2 }));
  expect(some).toHaveLength(2);
  expect(some.every(({ timestamp }) => timestamp >= third)).toBe(true);
  const early = await all(jobs.getJobMetrics({ jobUuid, endTime: third }));
  expect(early.length).toBeGreaterThanOrEqual(3);
  expect(early.every(({ timestamp }) => timestamp <= third)).toBe(true);
});

test("a stretch of time that is over ends the stream while the job goes on", async () => {
  const { jobs } = joblet;
  const { jobUuid } = await jobs.runJob({ command: "sleep", args: ["1000"] });
  const [first] = await all(jobs.getJobMetrics({ jobUuid, limit: 1 }));
  const endTime = first?.timestamp as bigint;
  expect(await all(jobs.getJobTelematics({ jobUuid, endTime }))).toHaveLength(1);
  expect((await jobs.getJobStatus({ uuid: jobUuid })).status).toBe("RUNNING");
  await jobs.stopJob({ uuid: jobUuid });
});

test("events of a job: the programs it runs", async () => {
  const { jobs } = joblet;
  const { jobUuid } = await jobs.runJob({ command: "sh", args: ["-c", "sleep 1000 & wait"] });
  const found: TelematicsEvent[] = [];
  for await (const event of jobs.streamJobTelematics({ jobUuid, types: ["exec"] })) {
    found.push(event);
    if (event.data.case === "exec" && event.data.value.args[0] === "1000") break;
  }
  const [shell] = found;
  const sleep = found.at(-1);
  if (shell?.data.case !== "exec" || sleep?.data.case !== "exec") throw new Error("no exec");
  expect(shell).toMatchObject({ jobUuid, type: "exec" });
  expect(shell.data.value.args).toEqual(["-c", "sleep 1000 & wait"]);
  expect(shell.data.value.ppid).toBe(process.pid);
  expect(sleep.data.value.ppid).toBe(shell.data.value.pid);
  expect(sleep.data.value.binary).toMatch(/^\//);
  await jobs.stopJob({ uuid: jobUuid });
});

describe("events of a job: its connections", () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = createServer((socket) => socket.on("error", () => {}));
    await once(server.listen(0, "127.0.0.1"), "listening");
    port = (server.address() as { port: number }).port;
  });

  afterAll(() => void server.close());

  async function firstOf(jobUuid: string, kind: "connect" | "accept") {
    for await (const { data } of joblet.jobs.streamJobTelematics({ jobUuid, types: [kind] })) {
      if (data.case === kind) return data.value;
    }
    throw new Error("the stream ended");
  }

  test("opened by it", async () => {
    const script = `require("net").connect(${port}, "127.0.0.1")`;
    const { jobUuid } = await joblet.jobs.runJob({ command: process.execPath, args: ["-e", script] });
    const found = await firstOf(jobUuid, "connect");
    expect(found).toMatchObject({ dstAddr: "127.0.0.1", dstPort: port, srcAddr: "127.0.0.1", protocol: "tcp" });
    await joblet.jobs.stopJob({ uuid: jobUuid });
  });

  test("accepted by it", async () => {
    const script = `const s = require("net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))`;
    const { jobUuid } = await joblet.jobs.runJob({ command: process.execPath, args: ["-e", script] });
    let text = "";
    for await (const { payload } of joblet.jobs.getJobLogs({ uuid: jobUuid })) {
      text += Buffer.from(payload).toString();
      if (text.includes("\n")) break;
    }
    const socket = dial(Number(text), "127.0.0.1");
    const found = await firstOf(jobUuid, "accept");
    expect(found).toMatchObject({ dstPort: Number(text), srcAddr: "127.0.0.1", srcPort: socket.localPort });
    socket.destroy();
    await joblet.jobs.stopJob({ uuid: jobUuid });
  });
});

test("what cannot be asked for", async () => {
  const { jobs } = joblet;
  const { jobUuid } = await jobs.runJob({ command: "true" });
  const wrong = [
    [jobs.getJobMetrics({ jobUuid, limit: -1 }), "limit: -1 is negative"],
    [jobs.getJobMetrics({ jobUuid, startTime: -1n }), "start_time: -1 is negative"],
    [jobs.getJobTelematics({ jobUuid, startTime: 2n, endTime: 1n }), "end_time: is before start_time"],
    [jobs.streamJobTelematics({ jobUuid, types: ["exec", "dance"] }), 'types[1]: "dance" is no kind of event'],
  ] as const;
  for (const [call, message] of wrong) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain(message);
  }
  const unseen = await errorOf(jobs.streamJobTelematics({ jobUuid, types: ["file", "mmap"] }));
  expect(unseen.code).toBe(Code.Unavailable);
});

test("addresses of /proc/net are read", () => {
  expect(readAddress("0100007F:1F90")).toEqual(["127.0.0.1", 8080]);
  expect(readAddress("00000000000000000000000001000000:0016")).toEqual(["::1", 22]);
  expect(readAddress("0000000000000000FFFF00000100007F:0016")).toEqual(["127.0.0.1", 22]);
  expect(readAddress("B80D01200000000067452301EFCDAB89:0001")).toEqual(["2001:db8::123:4567:89ab:cdef", 1]);
});
