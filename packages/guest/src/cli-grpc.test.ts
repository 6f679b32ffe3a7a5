// The guest's program over gRPC: both wires at once, TLS with roles, and grpcurl, which knows only what reflection says.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { AgentService } from "@guestwire/agent";
import { Bundle } from "@guestwire/bundle/vminitd";
import * as grpc from "@guestwire/grpc";
import { Health, ServingStatus, waitUntilServing } from "@guestwire/health";
import { JobService, MonitoringService, NetworkService } from "@guestwire/joblet";
import { MachineService } from "@guestwire/machine";
import { ServerReflection } from "@guestwire/reflection";
import { ContainerService, ImageService, Ross, SnapshotterService } from "@guestwire/ross";
import { Code, createClient } from "@guestwire/rpc";
import { System } from "@guestwire/system/vminitd";
import { createTestCa, describeAll, goTool, grpcurl, type TempFolder, tempFolder } from "@guestwire/testkit";
import * as ttrpc from "@guestwire/ttrpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorOf } from "./guest.test.support.js";

const program = fileURLToPath(new URL("../bin/guestwire-guest.js", import.meta.url));
const grpcurlProgram = await goTool("grpcurl");
let folder: TempFolder;
let child: ChildProcess | undefined;
let errors: AsyncIterator<string>;

beforeEach(async () => {
  folder = await tempFolder();
});

afterEach(async () => {
  if (child !== undefined && child.exitCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    expect((await ended)[0]).toBe(0);
  }
  await folder[Symbol.asyncDispose]();
});

async function start(args: readonly string[], count: number): Promise<string[]> {
  const env = { PATH: process.env["PATH"], HOME: folder.path, TMPDIR: folder.path };
  child = spawn(process.execPath, [program, "--state-dir", folder.file("state"), ...args], { env });
  errors = createInterface({ input: child.stderr as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    lines.push(line.replace(/^listening on /, ""));
    if (lines.length === count) break;
  }
  return lines;
}

const bare = (line: string): string => line.replace(/ \(.*\)$/, "");

test("serves the same machines on both wires", async () => {
  const unix = folder.file("g.sock");
  const listen = [
    "--listen",
    `unix://${folder.file("t.sock")}`,
    "--grpc",
    `unix://${unix}`,
    "--grpc",
    "tcp://127.0.0.1:0",
  ];
  const lines = await start(listen, 3);
  expect(lines.slice(0, 2)).toEqual([`unix://${folder.file("t.sock")}`, `unix://${unix} (gRPC)`]);
  await using one = ttrpc.connect(lines[0] as string);
  await createClient(MachineService, one).create({ name: "m1", cpus: 1, memory: 1n << 28n });
  for (const line of lines.slice(1)) {
    await using channel = grpc.connect(bare(line));
    await waitUntilServing(channel, MachineService, { timeoutMs: 10_000 });
    expect((await createClient(MachineService, channel).inspect({ id: "m1" })).state).toBe("created");
    expect((await createClient(Ross, channel).healthCheck({})).healthy).toBe(true);
  }
});

test("with --grpc alone there is no ttrpc socket", async () => {
  const lines = await start(["--grpc", `unix://${folder.file("g.sock")}`], 1);
  expect(lines).toEqual([`unix://${folder.file("g.sock")} (gRPC)`]);
});

test.each([
  [["--grpc", "tcp://0.0.0.0:0"], /plaintext/],
  [["--grpc", "tcp://127.0.0.1:0", "--tls-cert", "x"], /--tls-cert needs --tls-key/],
  [["--grpc", "tcp://127.0.0.1:0", "--tls-cert", "/none", "--tls-key", "/none"], /\/none/],
  [["--grpc", "tcp://127.0.0.1:0", "--tls-client-ca", "x"], /--tls-client-ca needs/],
  [["--grpc", "nonsense"], /no address/],
  [["--image-layout", "/nowhere"], /--image-layout \/nowhere is no OCI image layout/],
])("refuses %j in one line", async (args, message) => {
  await start(args, 1);
  const { value } = await errors.next();
  expect(value).toMatch(message);
  expect((await errors.next()).done).toBe(true);
  const { exitCode } = child as ChildProcess;
  expect(exitCode ?? (await once(child as ChildProcess, "exit"))[0]).toBe(1);
});

describe("with TLS", () => {
  test("roles come from client certificates, and new certificates are taken up", async () => {
    const ca = await createTestCa();
    const write = async (): Promise<void> => {
      const own = await ca.issue({ commonName: "guest", names: ["localhost", "127.0.0.1"] });
      await writeFile(folder.file("tls.key"), own.key);
      await writeFile(folder.file("tls.crt"), own.cert);
    };
    await write();
    await writeFile(folder.file("ca.crt"), ca.ca);
    const files = ["--tls-cert", "tls.crt", "--tls-key", "tls.key", "--tls-client-ca", "ca.crt"].map((part) =>
      part.startsWith("--") ? part : folder.file(part),
    );
    const [line = ""] = await start(["--grpc", "tcp://127.0.0.1:0", ...files], 1);
    expect(line).toMatch(/ \(gRPC, TLS\)$/);
    const as = async (organizationalUnit: string) => {
      const { cert, key } = await ca.issue({ commonName: "someone", organizationalUnit, client: true });
      return grpc.connect(bare(line), { tls: { ca: ca.ca, cert, key } });
    };
    await using admin = await as("admin");
    await using viewer = await as("Viewer");
    await using nobody = await as("other");
    const job = { command: "echo", args: ["hello"] };
    const { jobUuid } = await createClient(JobService, admin).runJob(job);
    for await (const _ of createClient(JobService, viewer).getJobLogs({ uuid: jobUuid }));
    expect((await createClient(JobService, viewer).getJobStatus({ uuid: jobUuid })).status).toBe("COMPLETED");
    expect((await errorOf(createClient(JobService, viewer).runJob(job))).code).toBe(Code.PermissionDenied);
    expect((await errorOf(createClient(MachineService, viewer).list({}))).code).toBe(Code.PermissionDenied);
    expect((await errorOf(createClient(JobService, nobody).listJobs({}))).code).toBe(Code.PermissionDenied);
    expect((await createClient(Health, nobody).check({})).status).toBe(ServingStatus.SERVING);
    await using stranger = grpc.connect(bare(line), { tls: { ca: ca.ca } });
    expect((await errorOf(createClient(Health, stranger).check({}))).code).toBe(Code.Unavailable);
    await write();
    expect((await errors.next()).value).toBe("guestwire-guest: new certificates are in use");
    await using later = await as("admin");
    expect((await createClient(JobService, later).listJobs({})).jobs).toHaveLength(1);
  });
});

describe.runIf(grpcurlProgram !== undefined)("grpcurl", () => {
  test("lists, describes and calls the guest's services, streams included", async () => {
    const [line = ""] = await start(["--grpc", "tcp://127.0.0.1:0"], 1);
    const tool = grpcurl(grpcurlProgram as string, bare(line));
    const { stdout } = await tool.run("list");
    const services = [
      ...[AgentService, Bundle, ContainerService, Health, ImageService, JobService, MachineService, MonitoringService],
      ...[NetworkService, Ross, ServerReflection, SnapshotterService, System],
    ];
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(services.map(({ typeName }) => typeName)));
    expect((await describeAll(tool, services)).size).toBeGreaterThan(200);
    const created = await tool.call("arcbox.v1.MachineService/Create", [{ name: "m1", cpus: 1, memory: "268435456" }]);
    expect(created).toMatchObject({ exit: 0, messages: [{ id: "m1" }] });
    await tool.call("arcbox.v1.MachineService/Start", [{ id: "m1" }]);
    const exec = await tool.call("arcbox.v1.MachineService/Exec", [
      { id: "m1", cmd: ["sh", "-c", "echo out; exit 3"] },
    ]);
    expect(exec.messages).toContainEqual(expect.objectContaining({ stream: "stdout", data: "b3V0Cg==" }));
    expect(exec.messages.at(-1)).toMatchObject({ done: true, exitCode: 3 });
    const refused = await tool.call("containerd.vminitd.services.bundle.v1.Bundle/Create", [
      { id: "evil", files: { "../escape": "AA==" } },
    ]);
    expect(refused.exit).toBe(64 + Code.InvalidArgument);
    expect(refused.stderr).toContain("../escape");
    const prepared = await tool.call("ross.SnapshotterService/Prepare", [{ key: "s1" }]);
    expect(prepared.messages).toMatchObject([{ mounts: [{ type: "bind", options: ["rw", "rbind"] }] }]);
    const started = await tool.call("joblet.JobService/RunJob", [{ command: "echo", args: ["from grpcurl"] }]);
    const { jobUuid } = started.messages[0] as { jobUuid: string };
    const logs = await tool.call("joblet.JobService/GetJobLogs", [{ uuid: jobUuid }]);
    const payloads = logs.messages.map((message) => (message as { payload?: string }).payload ?? "");
    expect(Buffer.from(payloads.join(""), "base64").toString()).toBe("from grpcurl\n");
    await tool.call("arcbox.v1.MachineService/Remove", [{ id: "m1", force: true }]);
  });
});
