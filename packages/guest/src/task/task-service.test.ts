import { createRegistry } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type Client, Code } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { MetricsSchema } from "@guestwire/types/cgroups";
import { Status } from "@guestwire/types/containerd";
import { ProcessDetailsSchema } from "@guestwire/types/runc";
import { Task } from "@guestwire/types/task/v3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf, execSpec, type TestGuest, testGuest, textOfAll } from "../guest.test.support.js";
import { version } from "../version.js";

let guest: TestGuest;
let tasks: Client<typeof Task>;
let stdio: Client<typeof StdIO>;
const registry = createRegistry(MetricsSchema, ProcessDetailsSchema);

beforeAll(async () => {
  guest = await testGuest();
  tasks = guest.client(Task);
  stdio = guest.client(StdIO);
});

afterAll(() => guest[Symbol.asyncDispose]());

async function running(id: string, ...args: string[]): Promise<number> {
  await guest.container(id, args);
  return (await tasks.start({ id })).pid;
}

test("a task goes from created to running to stopped, and is gone when deleted", async () => {
  const id = "life";
  await guest.container(id, ["sh", "-c", "read -r code; exit $code"]);
  const created = await tasks.state({ id });
  expect(created).toMatchObject({ id, execId: "", status: Status.CREATED, exitStatus: 0 });
  expect(created.bundle).toBe(`${guest.guest.stateDir}/bundles/${id}`);
  expect(alive(created.pid)).toBe(true);
  expect(created.exitedAt).toBeUndefined();

  expect((await tasks.start({ id })).pid).toBe(created.pid);
  expect(await tasks.state({ id })).toMatchObject({ status: Status.RUNNING, pid: created.pid });
  expect((await errorOf(tasks.delete({ id }))).code).toBe(Code.FailedPrecondition);
  const waiting = tasks.wait({ id });
  await stdio.writeStdin({ containerId: id, data: Buffer.from("9\n") });

  const exit = await waiting;
  expect(exit.exitStatus).toBe(9);
  expect(await tasks.state({ id })).toMatchObject({ status: Status.STOPPED, exitStatus: 9, exitedAt: exit.exitedAt });
  expect(await tasks.wait({ id })).toEqual(exit);
  expect(await tasks.delete({ id })).toMatchObject({ pid: created.pid, exitStatus: 9, exitedAt: exit.exitedAt });
  for (const call of [tasks.state({ id }), tasks.delete({ id }), tasks.wait({ id })]) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.NotFound);
    expect(error.rawMessage).toMatch(/container not created: not found$/);
  }
});

test("every call for an unknown container or process is NotFound", async () => {
  const id = "nobody";
  await running("known", "sleep", "1000");
  const spec = execSpec(["true"]);
  const calls = (name: { id: string; execId?: string }) => [
    tasks.state(name),
    tasks.start(name),
    tasks.delete(name),
    tasks.kill({ ...name, signal: 9 }),
    tasks.wait(name),
    tasks.closeIO({ ...name, stdin: true }),
    tasks.resizePty(name),
  ];
  const whole = [tasks.pids, tasks.pause, tasks.resume, tasks.checkpoint, tasks.update, tasks.stats];
  const failing = [...calls({ id }), ...calls({ id: "known", execId: "x" }), ...whole.map((call) => call({ id }))];
  for (const call of [...failing, tasks.exec({ id, execId: "x", spec })]) {
    expect((await errorOf(call)).code).toBe(Code.NotFound);
  }
  await tasks.kill({ id: "known", signal: 9 });
});

test("an id in use is AlreadyExists, also when both calls come at once and after the exit", async () => {
  await running("used", "true");
  await tasks.wait({ id: "used" });
  const { bundle } = await tasks.state({ id: "used" });
  expect((await errorOf(tasks.create({ id: "used", bundle }))).code).toBe(Code.AlreadyExists);
  const both = await Promise.allSettled([tasks.create({ id: "both", bundle }), tasks.create({ id: "both", bundle })]);
  expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await tasks.delete({ id: "both" });
});

test("a created task that was never started can be deleted", async () => {
  await guest.container("unborn", ["sleep", "1000"]);
  const { pid } = await tasks.state({ id: "unborn" });
  expect((await tasks.delete({ id: "unborn" })).exitStatus).toBe(137);
  expect(alive(pid)).toBe(false);
});

test("a task starts once", async () => {
  await running("once", "sleep", "1000");
  const error = await errorOf(tasks.start({ id: "once" }));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toBe("tasks/once: the process is running: failed precondition");
  await tasks.kill({ id: "once", signal: 9 });
  await tasks.wait({ id: "once" });
  expect((await errorOf(tasks.start({ id: "once" }))).code).toBe(Code.FailedPrecondition);
});

test("a signal ends the process with 128 and its number; then there is nothing to signal", async () => {
  await running("term", "sleep", "1000");
  await tasks.kill({ id: "term", signal: 15 });
  expect((await tasks.wait({ id: "term" })).exitStatus).toBe(143);
  const error = await errorOf(tasks.kill({ id: "term", signal: 15 }));
  expect(error.code).toBe(Code.NotFound);
  expect(error.rawMessage).toContain("process already finished");
  expect((await errorOf(tasks.kill({ id: "term", signal: 65 }))).code).toBe(Code.InvalidArgument);
});

test("added processes run beside init, know their names and end on their own", async () => {
  const id = "execs";
  await running(id, "sleep", "1000");
  const spec = execSpec(["sh", "-c", "cat; echo err >&2; exit 4"]);
  await tasks.exec({ id, execId: "cat", spec });
  expect(await tasks.state({ id, execId: "cat" })).toMatchObject({ id: "cat", execId: "cat", pid: 0, status: 1 });
  expect((await errorOf(tasks.exec({ id, execId: "cat", spec }))).code).toBe(Code.AlreadyExists);
  expect((await errorOf(tasks.kill({ id, execId: "cat", signal: 9 }))).code).toBe(Code.FailedPrecondition);
  const read = { containerId: id, execId: "cat" };
  const output = textOfAll(stdio.readStdout(read));
  const errors = textOfAll(stdio.readStderr(read));

  const { pid } = await tasks.start({ id, execId: "cat" });
  expect((await errorOf(tasks.start({ id, execId: "cat" }))).code).toBe(Code.FailedPrecondition);
  const { processes } = await tasks.pids({ id });
  const found = processes.find((one) => one.pid === pid);
  expect(anyUnpack(found?.info as never, registry)).toMatchObject({ execId: "cat" });
  expect(found?.info?.typeUrl).toBe("containerd.runc.v1.ProcessDetails");

  await stdio.writeStdin({ ...read, data: Buffer.from("in") });
  await tasks.closeIO({ id, execId: "cat", stdin: false });
  await tasks.closeIO({ id, execId: "cat", stdin: true });
  await tasks.closeIO({ id, execId: "cat", stdin: true });
  expect((await tasks.wait({ id, execId: "cat" })).exitStatus).toBe(4);
  expect(await output).toBe("in");
  expect(await errors).toBe("err\n");
  expect(await tasks.delete({ id, execId: "cat" })).toMatchObject({ pid, exitStatus: 4 });
  expect((await errorOf(tasks.state({ id, execId: "cat" }))).code).toBe(Code.NotFound);
  expect((await tasks.state({ id })).status).toBe(Status.RUNNING);
  await tasks.kill({ id, signal: 9 });
});

test("when init ends everything else of the container ends, wherever it went", async () => {
  const id = "family";
  await running(id, "sh", "-c", "setsid sleep 1000 & read -r go");
  await tasks.exec({ id, execId: "shell", spec: execSpec(["sh", "-c", "trap '' TERM; sleep 1000"]) });
  await tasks.exec({ id, execId: "later", spec: execSpec(["true"]) });
  await tasks.start({ id, execId: "shell" });
  while ((await tasks.pids({ id })).processes.length < 4) await new Promise((resolve) => setImmediate(resolve));
  const pids = (await tasks.pids({ id })).processes.map(({ pid }) => pid);
  const never = errorOf(tasks.wait({ id, execId: "later" }));
  await stdio.closeStdin({ containerId: id });
  expect((await tasks.wait({ id })).exitStatus).toBe(1);
  expect((await tasks.wait({ id, execId: "shell" })).exitStatus).toBe(137);
  expect(pids.filter(alive)).toEqual([]);
  expect((await tasks.pids({ id })).processes).toEqual([]);
  expect((await never).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(tasks.start({ id, execId: "later" }))).code).toBe(Code.FailedPrecondition);
  const more = tasks.exec({ id, execId: "more", spec: execSpec(["true"]) });
  expect((await errorOf(more)).code).toBe(Code.FailedPrecondition);
});

test("an exec of a task that was not started cannot be started, and can be deleted", async () => {
  const id = "early";
  await guest.container(id, ["sleep", "1000"]);
  await tasks.exec({ id, execId: "x", spec: execSpec(["true"]) });
  expect((await errorOf(tasks.start({ id, execId: "x" }))).code).toBe(Code.FailedPrecondition);
  const output = textOfAll(stdio.readStdout({ containerId: id, execId: "x" }));
  const waiting = errorOf(tasks.wait({ id, execId: "x" }));
  await tasks.delete({ id, execId: "x" });
  expect((await waiting).code).toBe(Code.NotFound);
  expect(await output).toBe("");
});

test("kill with all reaches every process of the container", async () => {
  const id = "all";
  const init = await running(id, "sh", "-c", "sleep 1000 & setsid sleep 1000 & wait");
  while ((await tasks.pids({ id })).processes.length < 3) await new Promise((resolve) => setImmediate(resolve));
  await tasks.kill({ id, signal: 15, all: true });
  expect((await tasks.wait({ id })).exitStatus).toBe(143);
  expect(alive(init)).toBe(false);
});

test("a waiting caller who gives up does not keep its call running", async () => {
  await running("endless", "sleep", "1000");
  const error = await errorOf(tasks.wait({ id: "endless" }, { timeoutMs: 20 }));
  expect(error.code).toBe(Code.DeadlineExceeded);
  await tasks.kill({ id: "endless", signal: 9 });
});

test("stats tell what the processes use", async () => {
  await running("busy", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo x; exec sleep 1000");
  for await (const _ of stdio.readStdout({ containerId: "busy" })) break;
  const { stats } = await tasks.stats({ id: "busy" });
  expect(stats?.typeUrl).toBe("io.containerd.cgroups.v2.Metrics");
  const metrics = anyUnpack(stats as never, registry) as unknown as {
    pids: { current: bigint };
    cpu: { usageUsec: bigint };
    memory: { usage: bigint };
  };
  expect(metrics.pids.current).toBe(1n);
  expect(metrics.cpu.usageUsec).toBeGreaterThan(0n);
  expect(metrics.memory.usage).toBeGreaterThan(0n);
  await tasks.kill({ id: "busy", signal: 9 });
});

test("connect tells who serves, with or without a task", async () => {
  const pid = await running("who", "sleep", "1000");
  expect(await tasks.connect({ id: "who" })).toMatchObject({ shimPid: process.pid, taskPid: pid, version });
  expect(await tasks.connect({ id: "nobody" })).toMatchObject({ taskPid: 0 });
  await tasks.kill({ id: "who", signal: 9 });
});

test("what needs root, or the host's files, is refused by its name", async () => {
  const pid = await running("plain", "sleep", "1000");
  const { bundle } = await tasks.state({ id: "plain" });
  const spec = execSpec(["true"]);
  const unsupported = [
    tasks.create({ id: "new", bundle, checkpoint: "/x" }),
    tasks.create({ id: "new", bundle, rootfs: [{ type: "bind" }] }),
    tasks.create({ id: "new", bundle, stdin: "file:///tmp/in" }),
    tasks.create({ id: "new", bundle, stdin: "nfs://1" }),
    tasks.exec({ id: "plain", execId: "x", spec, stdout: "/tmp/fifo" }),
    tasks.pause({ id: "plain" }),
    tasks.resume({ id: "plain" }),
    tasks.checkpoint({ id: "plain" }),
    tasks.update({ id: "plain" }),
  ];
  for (const call of unsupported) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.rawMessage).toMatch(/: not implemented$/);
  }
  expect((await errorOf(tasks.resizePty({ id: "plain" }))).code).toBe(Code.FailedPrecondition);
  const wrong = { typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", value: Buffer.from("{}") };
  expect((await errorOf(tasks.update({ id: "plain", resources: wrong }))).code).toBe(Code.InvalidArgument);
  await tasks.kill({ id: "plain", signal: 9 });
  await tasks.wait({ id: "plain" });
  expect(alive(pid)).toBe(false);
});

test.each(["", ".", "..", "a/b", "a\\b", "a\nb", "x".repeat(256)])("the id %j is refused", async (id) => {
  expect((await errorOf(tasks.create({ id, bundle: "/x" }))).code).toBe(Code.InvalidArgument);
});
