// Our client drives containerd's own shim, which drives runc; our server takes the shim's events. No containerd.
import { Code, codeName, createClient, RpcError } from "@guestwire/rpc";
import { kataReady, probe, spinboxReady, waitReady } from "@guestwire/ttrpc";
import { Status } from "@guestwire/types/containerd";
import { unpackTaskEvent } from "@guestwire/types/events";
import { Task } from "@guestwire/types/task/v2";
import { Task as TaskV3 } from "@guestwire/types/task/v3";
import { afterEach, describe, expect, test } from "vitest";
import { rejection } from "./expected.js";
import { type FifoReader, readFifo } from "./fifo.js";
import { type LoneShim, startLoneShim } from "./lone-shim.js";
import { type ContainerPrograms, containerPrograms, isSince } from "./programs.js";
import { type TaskClient, taskClient } from "./task-client.js";

const peers = await containerPrograms();

// Where they cannot run, containerPrograms has said why.
if (peers.length === 0) test("containerd cannot run here", (context) => context.skip());

describe.each(peers)("the shim of containerd $version", (programs) => {
  const ends: (Disposable | AsyncDisposable)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      if (Symbol.asyncDispose in end) await end[Symbol.asyncDispose]();
      else end[Symbol.dispose]();
    }
  });

  const start = async (script: string, options?: { terminal?: boolean }): Promise<LoneShim> => {
    const shim = await startLoneShim(programs, ["sh", "-c", script], options);
    ends.push(shim);
    return shim;
  };
  const fifo = async (path: string): Promise<FifoReader> => {
    const reader = await readFifo(path);
    ends.push(reader);
    return reader;
  };
  const execSpec = (script: string) => ({
    typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
    value: Buffer.from(
      JSON.stringify({ cwd: "/", args: ["sh", "-c", script], env: ["PATH=/bin"], user: { uid: 0, gid: 0 } }),
    ),
  });

  test("a container from create to shutdown, with an exec, exit codes, and every event forwarded to our server", async () => {
    const shim = await start("echo out; echo err >&2; exec sleep 600");
    const { id, bundle, namespace } = shim;
    const stdout = await fifo(shim.folder.file("out"));
    const stderr = await fifo(shim.folder.file("err"));
    const task = taskClient(shim.channel, programs);

    const { pid } = await task.create({ id, bundle, stdout: stdout.path, stderr: stderr.path });
    expect(pid).toBeGreaterThan(1);
    expect(await task.state({ id })).toMatchObject({ id, bundle, pid, status: Status.CREATED, stdout: stdout.path });
    const end = task.wait({ id });
    expect((await task.start({ id })).pid).toBe(pid);
    expect((await task.state({ id })).status).toBe(Status.RUNNING);
    await stdout.contains("out\n");
    await stderr.contains("err\n");

    const connected = await task.connect({ id });
    expect(connected).toMatchObject({ taskPid: pid });
    expect(connected.shimPid).not.toBe(pid);
    expect((await task.pids({ id })).processes.map((process) => process.pid)).toContain(pid);
    expect((await task.stats({ id })).stats?.typeUrl).toMatch(/^io\.containerd\.cgroups\.v[12]\.Metrics$/);

    const execOut = await fifo(shim.folder.file("exec-out"));
    await task.exec({
      id,
      execId: "e1",
      stdout: execOut.path,
      stderr: execOut.path,
      spec: execSpec("echo more; exit 42"),
    });
    expect(await task.state({ id, execId: "e1" })).toMatchObject({ id: "e1", status: Status.CREATED });
    const execEnd = task.wait({ id, execId: "e1" });
    const started = await task.start({ id, execId: "e1" });
    expect((await execEnd).exitStatus).toBe(42);
    await execOut.contains("more\n");
    expect(await task.delete({ id, execId: "e1" })).toMatchObject({ pid: started.pid, exitStatus: 42 });

    await task.kill({ id, signal: 9, all: true });
    expect((await end).exitStatus).toBe(137);
    expect(await task.state({ id })).toMatchObject({ status: Status.STOPPED, exitStatus: 137 });
    // Who asks later is told at once.
    expect((await task.wait({ id })).exitStatus).toBe(137);
    expect(await task.delete({ id })).toMatchObject({ pid, exitStatus: 137 });
    await Promise.all([stdout.ended, stderr.ended]);
    await shim.event("/tasks/delete");

    expect(shim.events.map(({ envelope }) => envelope.topic)).toEqual([
      "/tasks/create",
      "/tasks/start",
      "/tasks/exec-added",
      "/tasks/exec-started",
      "/tasks/exit",
      "/tasks/exit",
      "/tasks/delete",
    ]);
    for (const { envelope, namespace: told, timeoutMs } of shim.events) {
      expect([envelope.namespace, told]).toEqual([namespace, namespace]);
      expect(timeoutMs).toBeGreaterThan(0);
      expect(timeoutMs).toBeLessThanOrEqual(5_000);
      expect(unpackTaskEvent(envelope.event)).toMatchObject({ containerId: id });
    }
    const exits = shim.events.filter(({ envelope }) => envelope.topic === "/tasks/exit");
    expect(exits.map(({ envelope }) => unpackTaskEvent(envelope.event))).toMatchObject([
      { id: "e1", pid: started.pid, exitStatus: 42 },
      { id, pid, exitStatus: 137 },
    ]);

    await ended(task.shutdown({ id }));
    // It may answer for a moment yet.
    while ((await rejection(task.state({ id }))).code !== Code.Unavailable);
  });

  test("a terminal has the size that ResizePty gave it", async () => {
    const shim = await start("while [ ! -e /go ]; do sleep 0.01; done; stty size", { terminal: true });
    const { id, bundle } = shim;
    const stdout = await fifo(shim.folder.file("out"));
    const task = taskClient(shim.channel, programs);
    await task.create({ id, bundle, stdout: stdout.path, terminal: true });
    await task.start({ id });
    await task.resizePty({ id, width: 132, height: 43 });
    await task.exec({ id, execId: "go", spec: execSpec("true > /go") });
    await task.start({ id, execId: "go" });
    expect((await task.wait({ id })).exitStatus).toBe(0);
    await stdout.contains("43 132");
    await task.delete({ id });
  });

  test("what it cannot do comes as the error that Go's server names", async () => {
    const shim = await start("exec sleep 600");
    const { id, bundle } = shim;
    const task = taskClient(shim.channel, programs);
    const refused = async (call: Promise<unknown>): Promise<[string, string]> => {
      const error = await rejection(call);
      return [codeName(error.code), error.rawMessage];
    };
    expect(await refused(task.state({ id: "nobody" }))).toEqual(["not_found", "container not created: not found"]);
    await task.create({ id, bundle });
    expect(await refused(task.wait({ id, execId: "nobody" }))).toEqual([
      "not_found",
      expect.stringContaining("not found"),
    ]);
    expect(await refused(otherVersion(shim, programs).state({ id }))).toEqual([
      "unimplemented",
      expect.stringMatching(/^service containerd\.task\.v[23]\.Task$/),
    ]);
    await task.start({ id });
    expect((await refused(task.delete({ id })))[1]).toMatch(/running|stopped/);
  });

  test("200 calls at a time on one connection", async () => {
    const shim = await start("exec sleep 600");
    const { id, bundle } = shim;
    const task = taskClient(shim.channel, programs);
    const { pid } = await task.create({ id, bundle });
    await task.start({ id });
    const states = await Promise.all(Array.from({ length: 200 }, () => task.state({ id })));
    expect(new Set(states.map((state) => `${state.pid} ${state.status}`))).toEqual(
      new Set([`${pid} ${Status.RUNNING}`]),
    );
  });

  test("a deadline that the shim ignores ends the call here, and the connection goes on", async () => {
    const shim = await start("exec sleep 600");
    const { id, bundle } = shim;
    const task = taskClient(shim.channel, programs);
    await task.create({ id, bundle });
    await task.start({ id });
    const error = await rejection(task.wait({ id }, { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    const controller = new AbortController();
    const canceled = rejection(task.wait({ id }, { signal: controller.signal }));
    controller.abort();
    expect(await canceled).toMatchObject({ code: Code.Canceled });
    // The answers to the calls that were given up come now, and are nobody's.
    const end = task.wait({ id });
    await task.kill({ id, signal: 9 });
    expect((await end).exitStatus).toBe(137);
    expect((await task.state({ id })).status).toBe(Status.STOPPED);
  });

  const deaths: [string, (task: TaskClient, id: string) => Promise<unknown>][] = [
    ["is killed", async (task, id) => process.kill((await task.connect({ id })).shimPid, "SIGKILL")],
    // None looks whether there is one.
    ["dies of an exec without a spec", (task, id) => rejection(task.exec({ id, execId: "e" }))],
  ];

  test.each(deaths)("a shim that %s ends all calls with Unavailable", async (_, die) => {
    const shim = await start("exec sleep 600");
    const { id, bundle } = shim;
    const task = taskClient(shim.channel, programs);
    await task.create({ id, bundle });
    await task.start({ id });
    const end = rejection(task.wait({ id }));
    await die(task, id);
    expect(await end).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect(await rejection(task.state({ id }))).toMatchObject({ code: Code.Unavailable });
  });

  test("a probe is answered since 1.7; before that waitReady takes the first connection", async () => {
    const { address } = await start("exec sleep 600");
    if (isSince(programs, 1, 7)) await probe(address);
    else expect(await rejection(probe(address))).toMatchObject({ code: Code.Unavailable });
    const timings = isSince(programs, 1, 7) ? spinboxReady : kataReady;
    expect((await waitReady(address, { timings, timeoutMs: 5_000 })).attempts).toBeGreaterThan(0);
  });
});

/** The task API in the version that this shim does not serve. */
function otherVersion({ channel }: LoneShim, programs: ContainerPrograms) {
  return isSince(programs, 2, 0) ? createClient(Task, channel) : createClient(TaskV3, channel);
}

/** A shutdown may take the connection with it before it is answered. */
async function ended(shutdown: Promise<unknown>): Promise<void> {
  await shutdown.catch((error: unknown) => {
    if (RpcError.from(error).code !== Code.Unavailable) throw error;
  });
}
