import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import type { SandboxEvent } from "@guestwire/sandbox";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alive, errorOf } from "../guest.test.support.js";
import { readAll, readUntil, subscribed, type TestSandboxes, take, testSandboxes } from "./sandbox.test.support.js";

let own: TestSandboxes;

beforeAll(async () => {
  own = await testSandboxes();
});

afterAll(() => own[Symbol.asyncDispose]());

describe("stop and remove", () => {
  const deaf = "trap '' TERM; echo $$; while :; do sleep 0.01; done";

  test("stop asks a command to end, whose caller is told", async () => {
    const id = await own.ready();
    const output = own.sandboxes.run({
      id,
      cmd: ["sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done"],
    });
    await readUntil(output, "up");
    const events = await subscribed(own.sandboxes, { id, action: "stopped" });
    const stopped = own.sandboxes.stop({ id });
    expect(await readAll(output)).toMatchObject({ stdout: "bye\n", code: 5 });
    await stopped;
    expect((await take(events, 1))[0]?.attributes).toEqual({ exit_code: "5" });
    await events.return?.();
    expect(await own.sandboxes.inspect({ id })).toMatchObject({ state: "stopped", lastExitCode: 5 });
    expect((await errorOf(own.sandboxes.stop({ id }))).code).toBe(Code.FailedPrecondition);
    expect((await errorOf(own.sandboxes.run({ id, cmd: ["true"] }))).code).toBe(Code.FailedPrecondition);
  });

  test("a command that does not listen is killed when its time is over", async () => {
    const id = await own.ready();
    const output = own.sandboxes.run({ id, cmd: ["sh", "-c", deaf] });
    await readUntil(output, "\n");
    await own.sandboxes.stop({ id, timeoutSeconds: 1 });
    expect((await readAll(output)).code).toBe(137);
  });

  test("while one waits for a command, a second stop is refused and a forced removal ends both", async () => {
    const id = await own.ready();
    const output = own.sandboxes.run({ id, cmd: ["sh", "-c", deaf] });
    const pid = Number(await readUntil(output, "\n"));
    const events = await subscribed(own.sandboxes, { id });
    const stopping = own.sandboxes.stop({ id, timeoutSeconds: 2 ** 32 - 1 });
    expect((await take(events, 1))[0]?.action).toBe("stopping");
    expect((await own.sandboxes.inspect({ id })).state).toBe("stopping");
    expect((await errorOf(own.sandboxes.stop({ id }))).code).toBe(Code.FailedPrecondition);
    expect((await errorOf(own.sandboxes.remove({ id }))).code).toBe(Code.FailedPrecondition);
    await Promise.all([own.sandboxes.remove({ id, force: true }), own.sandboxes.remove({ id, force: true })]);
    await stopping;
    expect(alive(pid)).toBe(false);
    expect((await readAll(output)).code).toBe(137);
    expect((await take(events, 1))[0]?.action).toBe("removed");
    await events.return?.();
  });

  test("a running sandbox is removed by force only, with what its commands left running", async () => {
    const id = await own.ready();
    const left = await readAll(
      own.sandboxes.run({ id, cmd: ["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 & echo $!"] }),
    );
    const output = own.sandboxes.run({ id, cmd: ["sh", "-c", "echo $$; exec sleep 1000"] });
    const pids = [Number(left.stdout), Number(await readUntil(output, "\n"))];
    expect((await errorOf(own.sandboxes.remove({ id }))).code).toBe(Code.FailedPrecondition);
    expect(pids.map(alive)).toEqual([true, true]);
    await own.sandboxes.remove({ id, force: true });
    expect(pids.map(alive)).toEqual([false, false]);
    expect((await readAll(output)).code).toBe(137);
  });

  test("what a command left running ends with a stop, and is no command", async () => {
    const id = await own.ready();
    const { stdout } = await readAll(
      own.sandboxes.run({ id, cmd: ["sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!"] }),
    );
    expect(alive(Number(stdout))).toBe(true);
    expect((await own.sandboxes.inspect({ id })).state).toBe("ready");
    await own.sandboxes.stop({ id });
    expect(alive(Number(stdout))).toBe(false);
  });

  test("a removal while it starts gives up its making", async () => {
    const base = join(own.path, "slow");
    await mkdir(base);
    await writeFile(join(base, "file"), Buffer.alloc(64 * 1024 * 1024));
    const events = await subscribed(own.sandboxes, { id: "early" });
    await own.sandboxes.create({ id: "early", rootfs: base });
    await own.sandboxes.remove({ id: "early", force: true });
    const actions = (await take(events, 1)).map(({ action }) => action);
    let next = (await events.next()).value as SandboxEvent;
    if (next.action === "ready") next = (await events.next()).value as SandboxEvent;
    expect([...actions, next.action]).toEqual(["created", "removed"]);
    expect(existsSync(own.rootfs("early"))).toBe(false);
    await events.return?.();
  });

  test("a sandbox is removed by force when its time to live is over", async () => {
    const events = await subscribed(own.sandboxes, { id: "brief", action: "removed" });
    const id = await own.ready({ id: "brief", ttlSeconds: 1 });
    const output = own.sandboxes.run({ id, cmd: ["sleep", "1000"] });
    expect((await readAll(output)).code).toBe(137);
    expect((await take(events, 1))[0]?.sandboxId).toBe(id);
    await events.return?.();
  });
});

test("events are filtered by sandbox and action, and end with the services", async () => {
  await using other = await testSandboxes();
  const actions: string[] = [];
  const events = other.sandboxes.events({ action: "ready" })[Symbol.asyncIterator]();
  const first = events.next();
  await other.sandboxes.list({});
  for (const id of ["a", "b"]) await other.ready({ id });
  actions.push(((await first).value as SandboxEvent).sandboxId);
  actions.push(((await events.next()).value as SandboxEvent).sandboxId);
  expect(actions).toEqual(["a", "b"]);
  await other.services.close(0);
  expect((await events.next()).done).toBe(true);
  expect((await errorOf(other.sandboxes.create({}))).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(other.sandboxes.run({ id: "a", cmd: ["true"] }))).code).toBe(Code.FailedPrecondition);
  expect((await other.sandboxes.list({ state: "stopped" })).sandboxes).toHaveLength(2);
});

test("sandboxes are found again, stopped, with their files and the rest of their time", async () => {
  const first = await testSandboxes();
  await first.ready({ id: "kept", labels: { a: "1" }, limits: { vcpus: 2, memoryMib: 512n } });
  await first.ready({ id: "over", ttlSeconds: 3600 });
  await readAll(first.sandboxes.run({ id: "kept", cmd: ["sh", "-c", "echo text > file; exit 4"] }));
  const output = first.sandboxes.run({ id: "over", cmd: ["sleep", "1000"] });
  await first.sandboxes.list({});
  const before = await first.sandboxes.inspect({ id: "kept" });
  const record = join(first.path, "sandbox/sandboxes/over/record.json");
  const ended = readAll(output).catch(() => undefined);
  const reopened = first.reopen.bind(first);
  await first.services.close(0);
  await ended;
  const old = JSON.parse(await readFile(record, "utf8")) as { createdAt: number };
  await writeFile(record, JSON.stringify({ ...old, createdAt: old.createdAt - 3_600_000 }));
  await mkdir(join(first.path, "sandbox/sandboxes/junk"));
  await using second = await reopened();
  while ((await second.sandboxes.list({})).sandboxes.length > 1);
  expect(await second.sandboxes.inspect({ id: "kept" })).toMatchObject({
    state: "stopped",
    labels: { a: "1" },
    limits: { vcpus: 2, memoryMib: 512n },
    createdAt: before.createdAt,
    readyAt: before.readyAt,
    lastExitedAt: before.lastExitedAt,
    lastExitCode: 4,
  });
  expect(await readFile(join(second.rootfs("kept"), "file"), "utf8")).toBe("text\n");
  expect((await errorOf(second.sandboxes.create({ id: "kept" }))).code).toBe(Code.AlreadyExists);
  await second.sandboxes.remove({ id: "kept" });
});

test("a removal that the disk refuses is an error, and can be tried again", async () => {
  const id = await own.ready({ id: "stuck" });
  const scratch = join(own.path, "scratch");
  await rm(scratch, { recursive: true });
  expect((await errorOf(own.sandboxes.remove({ id }))).code).toBe(Code.Internal);
  expect((await own.sandboxes.inspect({ id })).state).toBe("stopped");
  await mkdir(scratch, { mode: 0o700 });
  await own.sandboxes.remove({ id });
});

test("closing waits neither for a patient stop nor for a reader who does not read", async () => {
  await using other = await testSandboxes();
  const script = "trap '' TERM; echo up; while :; do sleep 0.01; done";
  const stubborn = other.sandboxes.run({ id: await other.ready({ id: "stubborn" }), cmd: ["sh", "-c", script] });
  await readUntil(stubborn, "up");
  const stopping = other.sandboxes.stop({ id: "stubborn", timeoutSeconds: 3600 });
  while ((await other.sandboxes.inspect({ id: "stubborn" })).state !== "stopping");
  const unread = other.sandboxes.run({ id: await other.ready(), cmd: ["cat", "/dev/zero"] });
  await unread.next();
  await other.services.close(10);
  await stopping;
  expect((await readAll(stubborn)).code).toBe(137);
  expect(other.processes()).toEqual([]);
  await unread.return?.();
});
