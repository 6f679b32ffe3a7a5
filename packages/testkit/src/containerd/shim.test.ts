// A shim on our server (examples/shim), and containerd as its client: containers run by it as by containerd's own shim.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { unpackTaskEvent } from "@guestwire/types/events";
import { Task } from "@guestwire/types/task/v2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tasks } from "../gen/containerd/services/tasks/v1/tasks_pb.js";
import { type Containerd, startContainerd } from "./daemon.js";
import { subscribe } from "./event-log.js";
import { imageName } from "./image.js";
import { containerPrograms } from "./programs.js";
import type { RunResult } from "./run.js";

const shim = fileURLToPath(new URL("../../../../examples/shim/bin/containerd-shim-guestwire-v1", import.meta.url));
const peers = await containerPrograms();

// Where they cannot run, containerPrograms has said why.
if (peers.length === 0) test("containerd cannot run here", (context) => context.skip());

describe.each(peers)("containerd $version with our shim", (programs) => {
  let daemon: Containerd;
  beforeAll(async () => {
    daemon = await startContainerd(programs);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  const ok = { code: 0, stderr: "" };
  /** Runs a container in the foreground: options, then its id, then its command. */
  const runShim = (args: readonly string[], input?: string): Promise<RunResult> =>
    daemon.run(["--rm", "--runtime", shim, ...args], input === undefined ? {} : { input });
  const runDetached = async (id: string, script: string): Promise<void> => {
    expect(await daemon.run(["-d", "--runtime", shim, imageName, id, "sh", "-c", script])).toMatchObject(ok);
  };
  const shimClient = async (id: string) => {
    const address = await daemon.shimAddress(id);
    const channel = connect(address, { timeoutMs: 10_000 });
    return { task: createClient(Task, channel), address, [Symbol.asyncDispose]: () => channel.close() };
  };

  test("ctr run prints what the container prints, and ends with its exit code", async () => {
    await using log = await subscribe(daemon);
    const result = await runShim([imageName, "first", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect(result).toEqual({ code: 7, stdout: "out\n", stderr: "err\n" });
    // Comes on another way than containerd's own events; our shim ends when all are sent.
    await log.event(({ topic }) => topic === "/tasks/delete");
    const tasks = log.events.filter(({ topic }) => topic.startsWith("/tasks/"));
    expect(tasks.map(({ topic }) => topic)).toEqual(["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]);
    const [created, started, exited, deleted] = tasks.map(({ event }) => unpackTaskEvent(event));
    const { pid } = started as { pid: number };
    expect(created).toMatchObject({ containerId: "first" });
    expect(exited).toMatchObject({ containerId: "first", id: "first", pid, exitStatus: 7 });
    expect(deleted).toMatchObject({ containerId: "first", pid, exitStatus: 7 });
  });

  test("input reaches the container, and so does its end", async () => {
    const args = [
      "-a",
      daemon.address.slice("unix://".length),
      "-n",
      daemon.namespace,
      "run",
      "--rm",
      "--runtime",
      shim,
    ];
    const child = spawn(programs.ctr, [...args, imageName, "input", "cat"], { stdio: ["pipe", "pipe", "inherit"] });
    const [output, [code]] = await Promise.all([
      text(child.stdout),
      once(child, "exit"),
      child.stdin.end("to and fro"),
    ]);
    expect([output, code]).toEqual(["to and fro", 0]);
  });

  test("a terminal shows, takes input and has its size", async () => {
    const inside =
      'until [ "$(stty size 2>/dev/null)" = "41 103" ]; do sleep 0.01; done; echo sized; read x; echo "got $x"; exit 5';
    const ctr = `${programs.ctr} -a ${daemon.address.slice("unix://".length)} -n ${daemon.namespace}`;
    const outside = `stty rows 41 cols 103; ${ctr} run --rm -t --runtime ${shim} ${imageName} terminal sh -c '${inside}'`;
    // It gives ctr the terminal that it needs itself.
    const child = spawn("script", ["-qec", outside, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    let shown = "";
    for await (const data of child.stdout) {
      const before = shown;
      shown += data;
      if (shown.includes("sized") && !before.includes("sized")) child.stdin.write("hello\n");
    }
    expect(shown).toMatch(/^sized\r+\nhello\r+\ngot hello\r+\n$/);
    expect(child.exitCode ?? (await once(child, "exit"))[0]).toBe(5);
  });

  test("10 MiB of output arrive complete", async () => {
    const script =
      "i=0; while [ $i -lt 160 ]; do busybox dd if=/dev/zero bs=65536 count=1 2>/dev/null; i=$((i+1)); done";
    const { code, stdout } = await runShim([imageName, "large", "sh", "-c", script]);
    expect([code, stdout.length]).toEqual([0, 160 * 65536]);
  });

  test("a program that is not there is runc's own error", async () => {
    const { code, stderr } = await runShim([imageName, "missing", "/no/such/program"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/OCI runtime: .*\/no\/such\/program.*no such file/);
  });

  test("what our shim refuses is the error that ctr prints, and nothing stays behind", async () => {
    const refused = await daemon.run([
      "-d",
      "--runtime",
      shim,
      "--log-uri",
      "file:///log",
      imageName,
      "refused",
      "true",
    ]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/stdout: this shim knows named pipes only, no file:\/\/\/log/);
    expect(existsSync(daemon.bundle("refused"))).toBe(false);
    expect((await daemon.ctr(["tasks", "list", "-q"])).stdout).not.toMatch(/refused/);
  });

  test("exec, list, pause and signals", async () => {
    await runDetached("long", "echo $$ > /pid; exec sleep 600");
    const exec = (id: string, ...command: string[]) =>
      daemon.ctr(["tasks", "exec", "--exec-id", id, "long", ...command]);
    expect(await exec("e1", "sh", "-c", "echo more; exit 42")).toEqual({ code: 42, stdout: "more\n", stderr: "" });
    // It is the container that the exec is in.
    expect((await exec("e2", "cat", "/pid")).stdout).toBe("1\n");
    expect((await exec("e3", "/no/such/program")).code).toBe(1);

    const { stdout: pids } = await daemon.ctr(["tasks", "ps", "long"]);
    expect(pids.trim().split("\n")).toHaveLength(2);
    expect((await daemon.ctr(["tasks", "metrics", "long"])).stdout).toMatch(/memory\.usage/);
    await daemon.ctr(["tasks", "pause", "long"]);
    expect((await daemon.ctr(["tasks", "list"])).stdout).toMatch(/long +\d+ +PAUSED/);
    await daemon.ctr(["tasks", "resume", "long"]);
    expect((await daemon.ctr(["tasks", "list"])).stdout).toMatch(/long +\d+ +RUNNING/);

    const end = createClient(Tasks, daemon.grpc).wait({ containerId: "long" });
    expect(await daemon.ctr(["tasks", "kill", "--signal", "SIGKILL", "long"])).toMatchObject(ok);
    expect((await end).exitStatus).toBe(137);
    expect((await daemon.ctr(["tasks", "list"])).stdout).toMatch(/long +\d+ +STOPPED/);
    await using client = await shimClient("long");
    const bundle = daemon.bundle("long");
    expect((await daemon.ctr(["tasks", "delete", "long"])).stderr).toMatch(/exit with non-zero exit code 137/);
    // Nothing is left of it: no bundle, no socket, no shim.
    expect([existsSync(bundle), existsSync(client.address.slice("unix://".length))]).toEqual([false, false]);
  });

  test("our own client and containerd share one shim", async () => {
    await runDetached("shared", "exec sleep 600");
    await using client = await shimClient("shared");
    const connected = await client.task.connect({ id: "shared" });
    expect((await client.task.state({ id: "shared" })).pid).toBe(connected.taskPid);
    const end = client.task.wait({ id: "shared" });
    await daemon.ctr(["tasks", "kill", "--signal", "SIGKILL", "shared"]);
    expect((await end).exitStatus).toBe(137);
  });

  test("a shim that is killed: containerd has our program clean up, and tells how it ended", async () => {
    await runDetached("orphan", "exec sleep 600");
    await using log = await subscribe(daemon);
    await using client = await shimClient("orphan");
    const { shimPid, taskPid } = await client.task.connect({ id: "orphan" });
    process.kill(shimPid, "SIGKILL");
    const { event } = await log.event(({ topic }) => topic === "/tasks/exit");
    expect(unpackTaskEvent(event)).toMatchObject({ containerId: "orphan", exitStatus: 137 });
    await log.event(({ topic }) => topic === "/tasks/delete");
    expect(() => process.kill(taskPid, 0)).toThrow("ESRCH");
    expect((await daemon.ctr(["tasks", "list", "-q"])).stdout).not.toMatch(/orphan/);
  });

  test("a containerd that is started anew finds the shim, and what it missed is told", async () => {
    await runDetached("survivor", "exec sleep 600");
    await daemon.kill();
    await daemon.restart();
    await using log = await subscribe(daemon);
    expect((await daemon.ctr(["tasks", "list"])).stdout).toMatch(/survivor +\d+ +RUNNING/);
    await daemon.ctr(["tasks", "kill", "--signal", "SIGKILL", "survivor"]);
    const { event } = await log.event(({ topic }) => topic === "/tasks/exit");
    expect(unpackTaskEvent(event)).toMatchObject({ containerId: "survivor", exitStatus: 137 });
  });
});
