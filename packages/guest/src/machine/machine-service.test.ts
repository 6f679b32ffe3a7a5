import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { type MachineExecOutput, MachineService } from "@guestwire/machine";
import { type Client, Code, createClient } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf, type TestGuest, testGuest } from "../guest.test.support.js";
import { processesOf } from "../process/scope.js";
import { tokenOf } from "../state/state-folder.js";
import { version } from "../version.js";

let guest: TestGuest;
let machines: Client<typeof MachineService>;

beforeAll(async () => {
  guest = await testGuest({ ssh: { port: 1 } });
  machines = guest.client(MachineService);
  await machines.create({ name: "runs" });
  await machines.start({ id: "runs" });
});

afterAll(() => guest[Symbol.asyncDispose]());

const rootfs = (name: string): string => join(guest.guest.stateDir, "machines", name, "rootfs");
const mainProcess = (name: string): number => processesOf(`${tokenOf(guest.guest.stateDir)}:machine/${name}`)[0] ?? 0;

async function run(id: string, script: string, more: object = {}) {
  const found = { stdout: "", stderr: "", last: undefined as MachineExecOutput | undefined };
  for await (const output of machines.exec({ id, cmd: ["sh", "-c", script], ...more })) {
    expect(found.last).toBeUndefined();
    if (output.done) found.last = output;
    else if (output.stream === "stdout" || output.stream === "stderr") {
      found[output.stream] += Buffer.from(output.data).toString();
    }
  }
  return { stdout: found.stdout, stderr: found.stderr, code: found.last?.exitCode };
}

test("a machine goes from created to running to stopped, and is gone when removed", async () => {
  const id = "life";
  expect(await machines.create({ name: id, cpus: 2, memory: 1n << 30n, diskSize: 8n << 30n })).toMatchObject({ id });
  const created = await machines.inspect({ id });
  expect(created).toMatchObject({
    id,
    name: id,
    state: "created",
    hardware: { cpus: 2, memory: 1n << 30n, arch: os.machine() },
    storage: { diskSize: 8n << 30n, diskFormat: "directory", diskPath: rootfs(id) },
    network: { ipAddress: "" },
    os: { kernel: "" },
    mounts: [],
  });
  expect(created.startedAt).toBeUndefined();
  expect(Number(created.created?.seconds)).toBeLessThanOrEqual(Date.now() / 1000);
  const listed = async (all: boolean) => (await machines.list({ all })).machines.map((one) => [one.id, one.state]);
  expect(await listed(false)).toEqual([["runs", "running"]]);
  expect(await listed(true)).toContainEqual([id, "created"]);

  await machines.start({ id });
  const { state, startedAt, os: system } = await machines.inspect({ id });
  expect(state).toBe("running");
  expect(startedAt?.seconds).toBeGreaterThanOrEqual(created.created?.seconds ?? 0n);
  expect(system?.kernel).toBe(os.release());
  expect(await listed(false)).toContainEqual([id, "running"]);
  const pid = mainProcess(id);
  expect(alive(pid)).toBe(true);
  expect((await errorOf(machines.start({ id }))).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(machines.remove({ id }))).code).toBe(Code.FailedPrecondition);

  await writeFile(join(rootfs(id), "kept"), "kept");
  await machines.stop({ id });
  expect(alive(pid)).toBe(false);
  expect((await machines.inspect({ id })).state).toBe("stopped");
  expect(await readFile(join(rootfs(id), "kept"), "utf8")).toBe("kept");
  for (const call of [machines.stop({ id }), machines.ping({ id }), machines.getSystemInfo({ id })]) {
    expect((await errorOf(call)).code).toBe(Code.FailedPrecondition);
  }
  await machines.remove({ id });
  expect((await errorOf(machines.inspect({ id }))).code).toBe(Code.NotFound);
  await expect(stat(rootfs(id))).rejects.toThrow("ENOENT");
});

test("every call for an unknown machine is NotFound", async () => {
  const id = "nobody";
  const calls = [
    machines.start({ id }),
    machines.stop({ id }),
    machines.remove({ id }),
    machines.inspect({ id }),
    machines.ping({ id }),
    machines.getSystemInfo({ id }),
    machines.sSHInfo({ id }),
    machines.exec({ id, cmd: ["true"] }),
  ];
  for (const call of calls) expect((await errorOf(call)).code).toBe(Code.NotFound);
});

test("a name in use is AlreadyExists, also when both calls come at once", async () => {
  expect((await errorOf(machines.create({ name: "runs" }))).code).toBe(Code.AlreadyExists);
  const both = await Promise.allSettled([machines.create({ name: "both" }), machines.create({ name: "both" })]);
  expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect((await errorOf(machines.create({ name: "" }))).code).toBe(Code.InvalidArgument);
});

test("the machine's own process answers pings and tells its facts", async () => {
  expect(await machines.ping({ id: "runs" })).toMatchObject({ message: "pong", version });
  expect(await machines.getSystemInfo({ id: "runs" })).toMatchObject({
    kernelVersion: os.release(),
    arch: os.machine(),
    totalMemory: BigInt(os.totalmem()),
  });
});

test("a machine that stands still does not answer, and is Unavailable", async () => {
  await machines.create({ name: "stiff" });
  await machines.start({ id: "stiff" });
  process.kill(mainProcess("stiff"), "SIGSTOP");
  expect((await errorOf(machines.ping({ id: "stiff" }))).code).toBe(Code.Unavailable);
  await machines.stop({ id: "stiff", force: true });
  expect((await machines.inspect({ id: "stiff" })).state).toBe("stopped");
});

test("a machine whose process ends by itself is stopped, with all that ran in it", async () => {
  await machines.create({ name: "dies" });
  await machines.start({ id: "dies" });
  const output = machines.exec({ id: "dies", cmd: ["sh", "-c", "echo $$; exec sleep 1000"] });
  const pid = Number(Buffer.from((await output.next()).value?.data ?? []).toString());
  process.kill(mainProcess("dies"), "SIGKILL");
  expect((await errorOf(output)).code).toBe(Code.Unavailable);
  while ((await machines.inspect({ id: "dies" })).state === "running") await machines.list({});
  expect(alive(pid)).toBe(false);
  await machines.start({ id: "dies" });
  await machines.stop({ id: "dies" });
});

test("remove with force ends a running machine", async () => {
  await machines.create({ name: "forced" });
  await machines.start({ id: "forced" });
  const pid = mainProcess("forced");
  await machines.remove({ id: "forced", force: true });
  expect(alive(pid)).toBe(false);
  expect((await errorOf(machines.inspect({ id: "forced" }))).code).toBe(Code.NotFound);
});

test("changes of one machine that come at once happen one after the other", async () => {
  await machines.create({ name: "busy" });
  const results = await Promise.allSettled([
    machines.start({ id: "busy" }),
    machines.start({ id: "busy" }),
    machines.stop({ id: "busy" }),
    machines.remove({ id: "busy" }),
    machines.start({ id: "busy" }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "rejected"]);
  expect((await errorOf(machines.inspect({ id: "busy" }))).code).toBe(Code.NotFound);
});

test("a command runs in the machine's folder, with its output apart and its exit code", async () => {
  const { stdout, stderr, code } = await run("runs", 'pwd; echo "$HOME $PWD $A"; echo bad >&2; exit 7', {
    env: { A: "b c" },
  });
  expect(stdout).toBe(`${rootfs("runs")}\n${rootfs("runs")} ${rootfs("runs")} b c\n`);
  expect(stderr).toBe("bad\n");
  expect(code).toBe(7);
});

test("a command has no input, and its directory lies in the machine", async () => {
  expect(await run("runs", "cat; mkdir -p deep/er")).toEqual({ stdout: "", stderr: "", code: 0 });
  const { stdout } = await run("runs", "pwd", { workingDir: "/../deep/er" });
  expect(stdout).toBe(`${rootfs("runs")}/deep/er\n`);
  const missing = machines.exec({ id: "runs", cmd: ["pwd"], workingDir: "/none" });
  expect((await errorOf(missing)).code).toBe(Code.InvalidArgument);
});

test("a command that cannot be run fails as in a shell, not as a call", async () => {
  const outputs: MachineExecOutput[] = [];
  for await (const output of machines.exec({ id: "runs", cmd: ["no-such-command"] })) outputs.push(output);
  expect(outputs.map(({ stream, exitCode, done }) => [stream, exitCode, done])).toEqual([
    ["stderr", 0, false],
    ["exit", 127, true],
  ]);
  expect(Buffer.from(outputs[0]?.data ?? []).toString()).toBe("no-such-command: not found\n");
  const folder = machines.exec({ id: "runs", cmd: ["/tmp"] });
  await folder.next();
  expect((await folder.next()).value).toMatchObject({ exitCode: 126, done: true });
  await folder.return?.();
});

test("a command runs as the guest's own user, and as another one only where the guest is root", async () => {
  const own = `${process.getuid?.()}\n`;
  for (const user of ["", "root", "0", os.userInfo().username]) {
    expect((await run("runs", "id -u", { user })).stdout).toBe(own);
  }
  // Every Linux has it in /etc/passwd.
  const other = run("runs", "id -un", { user: "daemon" });
  if (process.getuid?.() === 0) expect((await other).stdout).toBe("daemon\n");
  else expect((await errorOf(other)).code).toBe(Code.PermissionDenied);
});

test("a signal shows in the exit code, and large output arrives whole", async () => {
  expect((await run("runs", "kill -TERM $$")).code).toBe(143);
  expect((await run("runs", "head -c 3000000 /dev/zero")).stdout).toHaveLength(3_000_000);
});

test("a slow reader of one command holds up no other, and loses nothing", async () => {
  const size = 20_000_000;
  await using channel = guest.open();
  const slow = createClient(MachineService, channel).exec({ id: "runs", cmd: ["head", "-c", `${size}`, "/dev/zero"] });
  let total = (await slow.next()).value?.data.length ?? 0;
  // Longer than a stream that nobody reads may share its connection with other calls.
  expect((await run("runs", "sleep 1.1; echo done")).stdout).toBe("done\n");
  for await (const { data } of slow) total += data.length;
  expect(total).toBe(size);
});

test("leaving the stream ends the command and its group", async () => {
  const output = machines.exec({ id: "runs", cmd: ["sh", "-c", "echo $$; sleep 1000; echo never"] });
  const pid = Number(Buffer.from((await output.next()).value?.data ?? []).toString());
  expect(alive(pid)).toBe(true);
  await output.return?.();
  while (alive(pid)) await machines.ping({ id: "runs" });
  expect((await machines.ping({ id: "runs" })).message).toBe("pong");
});

test("a command that ignores SIGTERM is killed when its caller leaves", async () => {
  const output = machines.exec({
    id: "runs",
    cmd: ["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.01; done"],
  });
  const pid = Number(Buffer.from((await output.next()).value?.data ?? []).toString());
  await output.return?.();
  while (alive(pid)) await machines.ping({ id: "runs" });
});

test("stopping a machine ends its commands, whose callers are told", async () => {
  await machines.create({ name: "ends" });
  await machines.start({ id: "ends" });
  const output = machines.exec({ id: "ends", cmd: ["sh", "-c", "echo up; exec sleep 1000"] });
  await output.next();
  await machines.stop({ id: "ends" });
  expect((await output.next()).value).toMatchObject({ done: true, exitCode: 143 });
  await output.return?.();
});

test("bad commands are refused by the field that is wrong", async () => {
  for (const request of [
    { id: "runs" },
    { id: "runs", cmd: [""] },
    { id: "runs", cmd: ["echo", "a\0"] },
    { id: "runs", cmd: ["pwd"], workingDir: "deep" },
    { id: "runs", cmd: ["pwd"], env: { "a=b": "" } },
    { id: "runs", cmd: ["pwd"], env: { a: "\0" } },
    { id: "runs", cmd: ["pwd"], user: "no such user" },
  ]) {
    expect((await errorOf(machines.exec(request))).code).toBe(Code.InvalidArgument);
  }
  expect((await errorOf(machines.exec({ id: "runs", cmd: ["pwd"], tty: true }))).code).toBe(Code.Unimplemented);
  await machines.create({ name: "off" });
  expect((await errorOf(machines.exec({ id: "off", cmd: ["pwd"] }))).code).toBe(Code.FailedPrecondition);
});

test("a host directory shows where it was asked for", async () => {
  const hostPath = await mkdtemp(join(tmpdir(), "gw-share-"));
  await writeFile(join(hostPath, "file"), "shared");
  await machines.create({ name: "share", mounts: [{ hostPath, guestPath: "/srv/data" }] });
  await machines.start({ id: "share" });
  expect((await run("share", "cat srv/data/file; echo more > srv/data/new")).stdout).toBe("shared");
  expect((await machines.inspect({ id: "share" })).mounts).toMatchObject([{ hostPath, guestPath: "/srv/data" }]);
  await machines.remove({ id: "share", force: true, volumes: true });
  expect(await readFile(join(hostPath, "new"), "utf8")).toBe("more\n");
  await rm(hostPath, { recursive: true });
});

test("SSH is told only where a server answers", async () => {
  expect((await errorOf(machines.sSHInfo({ id: "runs" }))).code).toBe(Code.Unimplemented);
  const greetings = ["SSH-2.0-test\r\n", "220 mail\r\n", ""];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(greetings.shift() ?? "");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using own = await testGuest({ ssh: { port } });
  await own.client(MachineService).create({ name: "m" });
  const folder = join(own.guest.stateDir, "machines/m/rootfs");
  const { username } = os.userInfo();
  expect(await own.client(MachineService).sSHInfo({ id: "m" })).toMatchObject({
    host: "127.0.0.1",
    port,
    user: username,
    identityFile: "",
    command: `ssh -t -p ${port} ${username}@127.0.0.1 'cd ${folder} && exec "\${SHELL:-/bin/sh}"'`,
  });
  for (const _ of ["mail", "silent"]) {
    expect((await errorOf(own.client(MachineService).sSHInfo({ id: "m" }))).code).toBe(Code.Unimplemented);
  }
  server.close();
  await once(server, "close");
});
