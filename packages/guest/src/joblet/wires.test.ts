// The same services over gRPC and ttrpc at once, with the helpers that clients use.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@guestwire/grpc";
import {
  followLogLines,
  followMetrics,
  JobService,
  jobletMessageBytes,
  uploadFiles,
  waitForJob,
} from "@guestwire/joblet";
import { type Channel, Code, createClient } from "@guestwire/rpc";
import * as ttrpc from "@guestwire/ttrpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClock } from "../clock.js";
import { errorOf } from "../guest.test.support.js";
import { openStateFolder, type StateFolder } from "../state/state-folder.js";
import { createJobletServices, type JobletServices } from "./joblet-services.js";

let path: string;
let folder: StateFolder;
let services: JobletServices;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "gw-wires-"));
  folder = await openStateFolder(join(path, "state"));
  services = await createJobletServices({ folder, clock: createClock(), metricsMs: 10, sampleMs: 10 });
});

afterAll(async () => {
  await services.close(0);
  folder.release();
  await rm(path, { recursive: true, force: true });
});

interface Wire {
  serve(): Promise<AsyncDisposable>;
  connect(): Channel;
}

const limits = { receiveMessageBytes: jobletMessageBytes, sendMessageBytes: jobletMessageBytes };

const wires: Record<string, () => Wire> = {
  ttrpc: () => {
    const address = `unix://${join(path, "t.sock")}`;
    return {
      async serve() {
        const server = ttrpc.serve();
        services.register(server);
        await server.listen(address);
        return { [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }) };
      },
      connect: () => ttrpc.connect(address),
    };
  },
  grpc: () => {
    const address = `unix://${join(path, "g.sock")}`;
    return {
      async serve() {
        const server = grpc.serve({ limits });
        services.register(server);
        await server.listen(address);
        return { [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }) };
      },
      connect: () => grpc.connect(address, { limits }),
    };
  },
};

describe.each(Object.keys(wires))("over %s", (name) => {
  let wire: Wire;

  beforeAll(() => {
    wire = (wires[name] as () => Wire)();
  });

  test("a job with uploads runs, is followed and waited for", async () => {
    await using _server = await wire.serve();
    await using channel = wire.connect();
    const jobs = createClient(JobService, channel);
    const uploads = await uploadFiles(["package.json"], { root: join(import.meta.dirname, "../..") });
    const script = "wc -l < package.json; echo ä; printf end";
    const { jobUuid } = await jobs.runJob({ command: "sh", args: ["-c", script], uploads });
    const lines: string[] = [];
    for await (const line of followLogLines(jobs, jobUuid)) lines.push(line);
    expect(lines).toEqual([expect.stringMatching(/^\d+$/), "ä", "end"]);
    expect(await waitForJob(jobs, jobUuid)).toMatchObject({ status: "COMPLETED", uploads: ["package.json"] });
    expect(await followMetrics(jobs, jobUuid).next()).toMatchObject({ value: { jobUuid } });
    expect((await errorOf(jobs.getJobLogs({ uuid: "none" }))).code).toBe(Code.NotFound);
  });

  test("following goes on when the server comes back: each line once", async () => {
    let server = await wire.serve();
    await using channel = wire.connect();
    const jobs = createClient(JobService, channel);
    const script =
      "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i % 500)) = 0 ] && sleep 0.05; done; read -r never < /dev/null; echo end";
    const { jobUuid } = await jobs.runJob({ command: "sh", args: ["-c", script] });
    const lines: string[] = [];
    for await (const line of followLogLines(jobs, jobUuid, { reconnect: { firstDelayMs: 1 } })) {
      lines.push(line);
      if (line === "line 700" || line === "line 2200") {
        await server[Symbol.asyncDispose]();
        server = await wire.serve();
      }
    }
    expect(lines).toEqual([...Array.from({ length: 3000 }, (_, index) => `line ${index}`), "end"]);
    await server[Symbol.asyncDispose]();
  });
});

test("over gRPC requests may be as large as Joblet's", async () => {
  const wire = (wires["grpc"] as () => Wire)();
  await using _server = await wire.serve();
  await using channel = wire.connect();
  const jobs = createClient(JobService, channel);
  const content = new Uint8Array(50_000_000).fill(120);
  const { jobUuid } = await jobs.runJob({
    command: "sh",
    args: ["-c", "cat big"],
    uploads: [{ path: "big", content }],
  });
  let size = 0;
  for await (const { payload } of jobs.getJobLogs({ uuid: jobUuid })) size += payload.length;
  expect(size).toBe(content.length);
});
