import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import type { SandboxEvent } from "@guestwire/sandbox";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf } from "../guest.test.support.js";
import { readAll, type TestSandboxes, testSandboxes } from "./sandbox.test.support.js";

let own: TestSandboxes;

beforeAll(async () => {
  own = await testSandboxes();
});

afterAll(() => own[Symbol.asyncDispose]());

const run = (id: string, script: string) => readAll(own.sandboxes.run({ id, cmd: ["sh", "-c", script] }));

test("a snapshot has a sandbox's files at its time, and sandboxes of it are ready and their own", async () => {
  const { sandboxes, snapshots } = own;
  const setup = { env: { A: "b" }, workingDir: "/work", limits: { vcpus: 2, memoryMib: 64n } };
  const origin = await own.ready({ id: "origin", labels: { of: "origin" }, ...setup });
  await run(origin, "echo first > file; ln file hard; ln -s file soft; chmod 640 file; touch -d 2001-02-03 old");
  const taken = await snapshots.checkpoint({ sandboxId: origin, name: "base", labels: { kind: "base" } });
  expect(taken.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(taken.snapshotDir).toBe(join(own.path, "sandbox/snapshots", taken.snapshotId));
  expect(existsSync(taken.snapshotDir)).toBe(true);
  await run(origin, "echo second > file");
  await sandboxes.remove({ id: origin });

  const { snapshotId } = taken;
  const restored = await snapshots.restore({ snapshotId, id: "copy", labels: { of: "copy" }, networkOverride: true });
  expect(restored.id).toBe("copy");
  expect(await sandboxes.inspect({ id: "copy" })).toMatchObject({
    state: "ready",
    labels: { of: "copy" },
    limits: setup.limits,
    lastExitedAt: 0n,
  });
  const { stdout } = await run("copy", 'echo "$A"; pwd; cat soft; stat -c "%a %h" file; stat -c %Y old');
  const work = join(own.rootfs("copy"), "work");
  const time = Math.floor((await stat(join(work, "old"))).mtimeMs / 1000);
  expect(stdout).toBe(`b\n${work}\nfirst\n640 2\n${time}\n`);
  expect(new Date(time * 1000).getUTCFullYear()).toBe(2001);
  const { id: other } = await snapshots.restore({ snapshotId });
  await run("copy", "echo third > file");
  expect((await run(other, "cat file")).stdout).toBe("first\n");
  expect((await errorOf(snapshots.restore({ snapshotId, id: "copy" }))).code).toBe(Code.AlreadyExists);
  expect((await errorOf(snapshots.restore({ snapshotId, id: "a/b" }))).code).toBe(Code.InvalidArgument);

  await snapshots.deleteSnapshot({ snapshotId });
  expect(existsSync(taken.snapshotDir)).toBe(false);
  expect((await errorOf(snapshots.deleteSnapshot({ snapshotId }))).code).toBe(Code.NotFound);
  expect((await run(other, "cat file")).stdout).toBe("first\n");
  for (const id of ["copy", other]) await sandboxes.remove({ id });
});

test("snapshots are listed by origin and labels", async () => {
  const { snapshots } = own;
  const [a, b] = [await own.ready({ id: "a" }), await own.ready({ id: "b" })];
  const one = await snapshots.checkpoint({ sandboxId: a, name: "one", labels: { x: "1", y: "1" } });
  const two = await snapshots.checkpoint({ sandboxId: b, labels: { x: "1" } });
  const listed = async (filter: { sandboxId?: string; labels?: Record<string, string> }): Promise<string[]> =>
    (await snapshots.listSnapshots(filter)).snapshots.map(({ id }) => id);
  expect(await listed({})).toEqual([one.snapshotId, two.snapshotId]);
  expect(await listed({ sandboxId: b })).toEqual([two.snapshotId]);
  expect(await listed({ labels: { x: "1", y: "1" } })).toEqual([one.snapshotId]);
  expect(await listed({ sandboxId: b, labels: { y: "1" } })).toEqual([]);
  expect((await snapshots.listSnapshots({ sandboxId: a })).snapshots).toMatchObject([
    {
      id: one.snapshotId,
      sandboxId: a,
      name: "one",
      labels: { x: "1", y: "1" },
      snapshotDir: one.snapshotDir,
      createdAt: one.createdAt,
    },
  ]);
});

test("what a command left running stands still meanwhile, and goes on", async () => {
  const id = await own.ready();
  const script = "n=0; while :; do n=$((n+1)); echo $n > count; cp count count2; done";
  const { stdout } = await run(id, `sh -c '${script}' > /dev/null 2>&1 & echo $!`);
  const pid = Number(stdout);
  await own.snapshots.checkpoint({ sandboxId: id });
  expect(alive(pid)).toBe(true);
  const count = (): Promise<string> => readFile(join(own.rootfs(id), "count"), "utf8").catch(() => "");
  const before = await count();
  while ((await count()) === before);
  await own.sandboxes.remove({ id, force: true });
  expect(alive(pid)).toBe(false);
});

test("while a snapshot is taken no command starts, and a stop waits for it", async () => {
  const id = await own.ready();
  await run(id, "head -c 64000000 /dev/zero > big");
  const [taken, refused, stopped] = await Promise.allSettled([
    own.snapshots.checkpoint({ sandboxId: id }),
    run(id, "true"),
    own.sandboxes.stop({ id }),
  ]);
  expect([taken.status, refused.status, stopped.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(refused.status === "rejected" && refused.reason).toMatchObject({ code: Code.FailedPrecondition });
  const { snapshotDir } = (taken as PromiseFulfilledResult<{ snapshotDir: string }>).value;
  expect((await stat(join(snapshotDir, "rootfs/big"))).size).toBe(64_000_000);
  expect((await errorOf(own.snapshots.checkpoint({ sandboxId: id }))).code).toBe(Code.FailedPrecondition);
});

test("a snapshot of a sandbox that is removed meanwhile says so, and leaves nothing", async () => {
  const id = await own.ready();
  await run(id, "head -c 64000000 /dev/zero > big");
  const [taken] = await Promise.all([
    errorOf(own.snapshots.checkpoint({ sandboxId: id })),
    own.sandboxes.remove({ id, force: true }),
  ]);
  expect(taken).toMatchObject({
    code: Code.FailedPrecondition,
    rawMessage: expect.stringContaining("it ended while a snapshot of it was taken"),
  });
  expect((await own.snapshots.listSnapshots({ sandboxId: id })).snapshots).toEqual([]);
});

test("a snapshot that is deleted while it is used is used to the end", async () => {
  const id = await own.ready();
  await run(id, "head -c 64000000 /dev/zero > big");
  const { snapshotId, snapshotDir } = await own.snapshots.checkpoint({ sandboxId: id });
  const [restored, deleted, late] = await Promise.allSettled([
    own.snapshots.restore({ snapshotId, id: "used" }),
    own.snapshots.deleteSnapshot({ snapshotId }),
    own.snapshots.restore({ snapshotId }),
  ]);
  expect([restored.status, deleted.status, late.status]).toEqual(["fulfilled", "fulfilled", "rejected"]);
  expect((await stat(join(own.rootfs("used"), "big"))).size).toBe(64_000_000);
  expect(existsSync(snapshotDir)).toBe(false);
});

test("a restore that fails leaves nothing but its events", async () => {
  const id = await own.ready();
  const { snapshotId, snapshotDir } = await own.snapshots.checkpoint({ sandboxId: id });
  await rm(join(snapshotDir, "rootfs"), { recursive: true });
  const events = own.sandboxes.events({ id: "broken" })[Symbol.asyncIterator]();
  const first = events.next();
  await own.sandboxes.list({});
  expect((await errorOf(own.snapshots.restore({ snapshotId, id: "broken" }))).code).toBe(Code.Internal);
  const actions = [((await first).value as SandboxEvent).action];
  while (actions.length < 3) actions.push(((await events.next()).value as SandboxEvent).action);
  expect(actions).toEqual(["created", "failed", "removed"]);
  await events.return?.();
  expect((await errorOf(own.sandboxes.inspect({ id: "broken" }))).code).toBe(Code.NotFound);
});

test("snapshots are found again after a restart", async () => {
  const first = await testSandboxes();
  const id = await first.ready({ env: { A: "b" } });
  await readAll(first.sandboxes.run({ id, cmd: ["sh", "-c", "echo text > file"] }));
  const { snapshotId, createdAt } = await first.snapshots.checkpoint({ sandboxId: id, name: "n", labels: { l: "1" } });
  await mkdir(join(first.path, "sandbox/snapshots/junk"));
  await using second = await first.reopen();
  expect((await second.snapshots.listSnapshots({})).snapshots).toMatchObject([
    { id: snapshotId, sandboxId: id, name: "n", labels: { l: "1" }, createdAt },
  ]);
  const { id: restored } = await second.snapshots.restore({ snapshotId });
  const output = await readAll(second.sandboxes.run({ id: restored, cmd: ["sh", "-c", "echo $A; cat file"] }));
  expect(output.stdout).toBe("b\ntext\n");
});
