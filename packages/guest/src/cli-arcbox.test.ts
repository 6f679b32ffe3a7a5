// The guest's program as an ArcBox agent: its own frames, driven by our channel and by bytes that ArcBox's host would send.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentService } from "@guestwire/agent";
import { connect } from "@guestwire/arcbox-frames";
import { MachineService } from "@guestwire/machine";
import { type Channel, Code, createClient, createPushStream } from "@guestwire/rpc";
import { type ExecInputSchema, type ExecOutput, SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import { type TempFolder, tempFolder } from "@guestwire/testkit";
import * as ttrpc from "@guestwire/ttrpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorOf } from "./guest.test.support.js";
import { readAll, readUntil } from "./sandbox/sandbox.test.support.js";
import { version } from "./version.js";

const program = fileURLToPath(new URL("../bin/guestwire-guest.js", import.meta.url));
let folder: TempFolder;
let child: ChildProcess | undefined;
let exited: Promise<unknown[]>;

beforeEach(async () => {
  folder = await tempFolder();
});

afterEach(async () => {
  if (child !== undefined) {
    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(0);
    child = undefined;
  }
  await folder[Symbol.asyncDispose]();
});

/** @returns What it prints, once it has listened on this many addresses. */
async function start(args: readonly string[], count = 1): Promise<string[]> {
  const env = { PATH: process.env["PATH"], HOME: folder.path, TMPDIR: folder.path };
  const stdio = ["ignore", "pipe", "inherit"] as const;
  child = spawn(process.execPath, [program, "--state-dir", folder.file("state"), ...args], { env, stdio: [...stdio] });
  exited = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    lines.push(line);
    if (lines.length === count) break;
  }
  return lines;
}

type Input = Exclude<MessageInitShape<typeof ExecInputSchema>, { $typeName: string }>;

async function ready(channel: Channel, id: string): Promise<void> {
  const sandboxes = createClient(SandboxService, channel);
  expect((await sandboxes.create({ id })).state).toBe("starting");
  while ((await sandboxes.inspect({ id })).state === "starting");
}

test("ping, sandbox create, run, exec with input, checkpoint and removal over frames", async () => {
  const socket = folder.file("a.sock");
  expect(await start(["--arcbox", `unix://${socket}`])).toEqual([`listening on unix://${socket} (ArcBox frames)`]);
  await using channel = connect(`unix://${socket}`);
  const agent = createClient(AgentService, channel);
  const sandboxes = createClient(SandboxService, channel);
  const snapshots = createClient(SandboxSnapshotService, channel);
  expect(await agent.ping({ message: "hello" })).toMatchObject({ message: "pong: hello", version });
  await ready(channel, "s1");
  expect(await readAll(sandboxes.run({ id: "s1", cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"] }))).toEqual({
    stdout: "out\n",
    stderr: "err\n",
    code: 3,
  });

  const inputs = createPushStream<Input>();
  await inputs.push({ payload: { case: "init", value: { id: "s1", cmd: ["sh", "-c", "echo up; cat > file"] } } });
  const output = sandboxes.exec(inputs) as AsyncIterableIterator<ExecOutput>;
  await readUntil(output, "up");
  const whole = Buffer.alloc(1_000_000, "0123456789");
  for (let at = 0; at < whole.length; at += 250_000) {
    await inputs.push({ payload: { case: "stdin", value: whole.subarray(at, at + 250_000) } });
  }
  inputs.end();
  expect((await readAll(output)).code).toBe(0);
  const { snapshotId } = await snapshots.checkpoint({ sandboxId: "s1", name: "one" });
  await sandboxes.remove({ id: "s1", force: true });
  const { id } = await snapshots.restore({ snapshotId });
  expect((await readAll(sandboxes.run({ id, cmd: ["sha256sum", "file"] }))).stdout).toBe(
    `${createHash("sha256").update(whole).digest("hex")}  file\n`,
  );
  await snapshots.deleteSnapshot({ snapshotId });
  expect((await snapshots.listSnapshots({})).snapshots).toEqual([]);
  const refused = await errorOf(sandboxes.run({ id: "s1", cmd: ["true"] }));
  expect([refused.code, refused.rawMessage]).toEqual([
    Code.NotFound,
    expect.stringContaining('sandbox "s1": there is none of that name'),
  ]);
});

test("the bytes of ArcBox's host are answered as its agent does", async () => {
  const socket = folder.file("a.sock");
  await start(["--arcbox", `unix://${socket}`]);
  const connection = createConnection(socket);
  // Ping without a trace; then a number that nobody knows.
  connection.write(Buffer.from("0000000c0000000100000a0470696e67", "hex"));
  const [answer] = (await once(connection, "data")) as [Buffer];
  expect(answer.readUInt32BE(0)).toBe(answer.length - 4);
  expect(answer.readUInt32BE(4)).toBe(0x1001);
  expect(answer.subarray(10).toString()).toContain("pong: ping");
  connection.write(Buffer.from("00000006000007770000", "hex"));
  connection.resume();
  await once(connection, "close");
});

test("the same sandboxes are served on all wires, and end with the program", async () => {
  const [own, other] = [folder.file("a.sock"), folder.file("t.sock")];
  await start(["--arcbox", `unix://${own}`, "--listen", `unix://${other}`], 2);
  await using frames = connect(`unix://${own}`);
  await ready(frames, "shared");
  await using channel = ttrpc.connect(`unix://${other}`);
  const sandboxes = createClient(SandboxService, channel);
  expect((await sandboxes.list({ state: "ready" })).sandboxes.map(({ id }) => id)).toEqual(["shared"]);
  expect((await createClient(MachineService, channel).list({})).machines).toEqual([]);
  const output = createClient(SandboxService, frames).run({
    id: "shared",
    cmd: ["sh", "-c", "echo up; exec sleep 1000"],
  });
  await readUntil(output, "up");
  child?.kill("SIGTERM");
  expect((await readAll(output)).code).toBe(143);
  expect((await exited)[0]).toBe(0);
});
