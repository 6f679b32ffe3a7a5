import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Bundle } from "@guestwire/bundle/vminitd";
import { MachineService } from "@guestwire/machine";
import { Code } from "@guestwire/rpc";
import { StdIO } from "@guestwire/stdio/vminitd";
import { Task } from "@guestwire/types/task/v3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGuest } from "./guest.js";
import { alive, errorOf, execSpec, testGuest, textOfAll } from "./guest.test.support.js";
import { processesOf } from "./process/scope.js";
import { tokenOf } from "./state/state-folder.js";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-state-"));
});

afterAll(() => rm(folder, { recursive: true }));

test("machines and bundles survive a restart, processes do not", async () => {
  const stateDir = join(folder, "restart");
  const first = await testGuest({ stateDir });
  const machines = first.client(MachineService);
  for (const name of ["never", "ran"]) await machines.create({ name, memory: 1n << 30n });
  await machines.start({ id: "ran" });
  await first.container("web", ["sleep", "1000"]);
  await first.client(Task).start({ id: "web" });
  await first[Symbol.asyncDispose]();

  await writeFile(join(stateDir, "machines/junk"), "");
  await mkdir(join(stateDir, "machines/broken"));
  await writeFile(join(stateDir, "scratch/rest"), "");
  await using second = await testGuest({ stateDir });
  const { machines: found } = await second.client(MachineService).list({ all: true });
  expect(found.map(({ id, state, memory }) => [id, state, memory])).toEqual([
    ["never", "created", 1n << 30n],
    ["ran", "stopped", 1n << 30n],
  ]);
  await second.client(MachineService).start({ id: "ran" });
  expect((await errorOf(second.client(Task).state({ id: "web" }))).code).toBe(Code.NotFound);
  expect((await errorOf(second.client(Bundle).create({ id: "web" }))).code).toBe(Code.Unknown);
  expect(await readdir(join(stateDir, "scratch"))).toEqual([]);
});

test("one guest at a time uses a state folder", async () => {
  const stateDir = join(folder, "locked");
  const first = await createGuest({ stateDir });
  const error = await errorOf(createGuest({ stateDir: join(stateDir, "../locked/") }));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toContain("in use by another guest");
  await first.close();
  await (await createGuest({ stateDir })).close();
});

test("a state folder is made private, and one that is there keeps its mode", async () => {
  const stateDir = join(folder, "a/b/private");
  await (await createGuest({ stateDir })).close();
  expect(((await stat(stateDir)).mode & 0o777).toString(8)).toBe("700");
  await chmod(stateDir, 0o755);
  await (await createGuest({ stateDir })).close();
  expect(((await stat(stateDir)).mode & 0o777).toString(8)).toBe("755");
  expect(((await stat(join(stateDir, "bundles"))).mode & 0o777).toString(8)).toBe("700");
});

test("a state folder that cannot be one is an error that names it", async () => {
  const stateDir = join(folder, "file");
  await writeFile(stateDir, "");
  const error = await errorOf(createGuest({ stateDir }));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toContain(stateDir);
});

test("what a killed guest left behind ends when the next one begins", async () => {
  const stateDir = join(folder, "killed");
  await (await createGuest({ stateDir })).close();
  const env = { PATH: process.env["PATH"], GUESTWIRE_SCOPE: `${tokenOf(stateDir)}:task/old/1` };
  const old = spawn("sleep", ["1000"], { env, detached: true, stdio: "ignore" });
  const ended = once(old, "exit");
  await once(old, "spawn");
  await using _ = await createGuest({ stateDir });
  expect((await ended)[1]).toBe("SIGKILL");
});

test("a program that ends without closing its guest leaves no process behind", async () => {
  const stateDir = join(folder, "careless");
  // The built package, as a program of its own uses it.
  const script = `
    import { createGuest } from "@guestwire/guest";
    import { createInProcessChannel, createClient } from "@guestwire/rpc";
    import { Bundle } from "@guestwire/bundle/vminitd";
    import { Task } from "@guestwire/types/task/v3";
    const guest = await createGuest({ stateDir: process.argv[1] });
    const channel = createInProcessChannel(guest.register);
    const config = { process: { args: ["sleep", "1000"], cwd: "/" } };
    const files = { "config.json": Buffer.from(JSON.stringify(config)) };
    const { bundle } = await createClient(Bundle, channel).create({ id: "web", files });
    await createClient(Task, channel).create({ id: "web", bundle });
    console.log((await createClient(Task, channel).start({ id: "web" })).pid);
    process.exit(3);
  `;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, stateDir], { cwd });
  let output = "";
  for await (const data of child.stdout) output += data;
  expect(Number(output)).toBeGreaterThan(1);
  while (processesOf(tokenOf(stateDir)).length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("closing a guest answers everybody who waits", async () => {
  const own = await testGuest();
  const tasks = own.client(Task);
  const stdio = own.client(StdIO);
  await own.container("web", ["sleep", "1000"]);
  const { pid } = await tasks.start({ id: "web" });
  await tasks.exec({ id: "web", execId: "later", spec: execSpec(["true"]) });
  const running = tasks.wait({ id: "web" });
  const unborn = errorOf(tasks.wait({ id: "web", execId: "later" }));
  const output = textOfAll(stdio.readStdout({ containerId: "web" }));
  const nothing = textOfAll(stdio.readStdout({ containerId: "web", execId: "later" }));
  const closing = own.guest.close();
  await Promise.all([closing, own.guest.ended, own.guest.close()]);
  expect((await running).exitStatus).toBe(143);
  expect((await unborn).code).toBe(Code.FailedPrecondition);
  expect([await output, await nothing]).toEqual(["", ""]);
  expect(alive(pid)).toBe(false);
  const machine = own.client(MachineService).create({ name: "late" });
  expect((await errorOf(machine)).code).toBe(Code.FailedPrecondition);
  await own[Symbol.asyncDispose]();
});

test("a second close cuts the grace of the first short", async () => {
  const own = await testGuest();
  await own.container("deaf", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"]);
  await own.client(Task).start({ id: "deaf" });
  for await (const _ of own.client(StdIO).readStdout({ containerId: "deaf" })) break;
  const waiting = own.client(Task).wait({ id: "deaf" });
  const closing = own.guest.close({ graceMs: 3_600_000 });
  await own.guest.close({ graceMs: 0 });
  await closing;
  expect((await waiting).exitStatus).toBe(137);
  await own[Symbol.asyncDispose]();
});

test("the task API's shutdown ends a guest without tasks, and with them only at once", async () => {
  await using own = await testGuest();
  const tasks = own.client(Task);
  await own.container("web", ["sleep", "1000"]);
  let ended = false;
  void own.guest.ended.then(() => {
    ended = true;
  });
  await tasks.shutdown({ id: "web" });
  await tasks.delete({ id: "web" });
  expect(ended).toBe(false);
  await tasks.shutdown({});
  await own.guest.ended;

  await using other = await testGuest();
  await other.container("web", ["sleep", "1000"]);
  await other.client(Task).shutdown({ now: true });
  await other.guest.ended;
});
