import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@guestwire/rpc";
import type { CreateSandboxRequestSchema } from "@guestwire/sandbox";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf } from "../guest.test.support.js";
import { idBytes } from "./limits.js";
import { readAll, readUntil, subscribed, type TestSandboxes, take, testSandboxes } from "./sandbox.test.support.js";

let own: TestSandboxes;

beforeAll(async () => {
  own = await testSandboxes();
});

afterAll(() => own[Symbol.asyncDispose]());

test("a sandbox goes from starting to ready to running and back, is stopped and gone, and events say so", async () => {
  const { sandboxes } = own;
  const id = "life";
  const events = await subscribed(own.sandboxes, { id });
  const before = Date.now();
  expect(await sandboxes.create({ id, labels: { a: "1" }, cmd: ["touch", "never"] })).toMatchObject({
    id,
    state: "starting",
  });
  expect((await take(events, 2)).map(({ action }) => action)).toEqual(["created", "ready"]);
  const info = await sandboxes.inspect({ id });
  expect(info).toMatchObject({ id, state: "ready", labels: { a: "1" }, lastExitedAt: 0n, error: "" });
  expect(Number(info.readyAt)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
  const output = sandboxes.run({ id, cmd: ["sh", "-c", "mkfifo go; echo up; read -r line < go; exit 3"] });
  expect(await readUntil(output, "up")).toBe("up\n");
  expect((await sandboxes.inspect({ id })).state).toBe("running");
  expect((await sandboxes.list({ state: "running" })).sandboxes.map((one) => one.id)).toEqual([id]);
  await writeFile(join(own.rootfs(id), "go"), "go\n");
  expect((await readAll(output)).code).toBe(3);
  expect(await sandboxes.inspect({ id })).toMatchObject({ state: "ready", lastExitCode: 3 });
  await sandboxes.stop({ id });
  expect((await sandboxes.inspect({ id })).state).toBe("stopped");
  await sandboxes.remove({ id });
  expect(existsSync(own.rootfs(id))).toBe(false);
  const rest = await take(events, 5);
  expect(rest.map(({ action, attributes }) => [action, attributes])).toEqual([
    ["running", {}],
    ["idle", { exit_code: "3" }],
    ["stopping", {}],
    ["stopped", {}],
    ["removed", {}],
  ]);
  expect(Number(rest[0]?.timestamp ?? 0n) / 1e6).toBeGreaterThanOrEqual(before);
  expect((await errorOf(sandboxes.inspect({ id }))).code).toBe(Code.NotFound);
  await events.return?.();
});

test("every call for an unknown sandbox or snapshot is NotFound", async () => {
  const { sandboxes, snapshots } = own;
  const id = "nobody";
  const calls = [
    sandboxes.run({ id, cmd: ["true"] }),
    sandboxes.exec([{ payload: { case: "init", value: { id, cmd: ["true"] } } }]),
    sandboxes.stop({ id }),
    sandboxes.remove({ id, force: true }),
    sandboxes.inspect({ id }),
    snapshots.checkpoint({ sandboxId: id }),
    snapshots.restore({ snapshotId: id }),
    snapshots.deleteSnapshot({ snapshotId: id }),
  ];
  for (const call of calls) expect((await errorOf(call)).code).toBe(Code.NotFound);
  expect((await snapshots.listSnapshots({ sandboxId: id })).snapshots).toEqual([]);
});

test("an id is made where none is given, and is in use from the first moment on", async () => {
  const { sandboxes } = own;
  const [first, second] = [await own.ready(), await own.ready()];
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  expect(first).not.toBe(second);
  expect((await errorOf(sandboxes.create({ id: first }))).code).toBe(Code.AlreadyExists);
  const both = await Promise.allSettled([sandboxes.create({ id: "both" }), sandboxes.create({ id: "both" })]);
  expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  // One that was refused keeps no id.
  expect((await errorOf(sandboxes.create({ id: "again", image: "x" }))).code).toBe(Code.Unimplemented);
  await own.ready({ id: "again" });
});

test("ids are names of folders: all but a few are taken", async () => {
  for (const id of ["...", ".hidden", "a b", "ünï:c=ode\n", "x".repeat(idBytes)]) {
    await own.ready({ id });
    expect((await own.sandboxes.inspect({ id })).state).toBe("ready");
    expect((await readAll(own.sandboxes.run({ id, cmd: ["pwd"] }))).stdout).toBe(`${own.rootfs(id)}\n`);
    await own.sandboxes.remove({ id });
  }
});

test.each<[string, MessageInitShape<typeof CreateSandboxRequestSchema>, Code, string]>([
  ["a slash", { id: "a/b" }, Code.InvalidArgument, "id"],
  ["a backslash", { id: "a\\b" }, Code.InvalidArgument, "id"],
  ["a NUL", { id: "a\0b" }, Code.InvalidArgument, "id"],
  ["one dot", { id: "." }, Code.InvalidArgument, "id"],
  ["two dots", { id: ".." }, Code.InvalidArgument, "id"],
  ["a long id", { id: "x".repeat(idBytes + 1) }, Code.InvalidArgument, "id"],
  ["a kernel", { kernel: "/boot/vmlinuz" }, Code.Unimplemented, "kernel"],
  ["a kernel's arguments", { bootArgs: "quiet" }, Code.Unimplemented, "boot_args"],
  ["an image", { image: "alpine" }, Code.Unimplemented, "image"],
  ["no network", { network: { mode: "none" } }, Code.Unimplemented, "network.mode"],
  ["another network", { network: { mode: "host" } }, Code.InvalidArgument, "network.mode"],
  ["too many CPUs", { limits: { vcpus: 8193 } }, Code.InvalidArgument, "limits.vcpus"],
  ["too much memory", { limits: { memoryMib: 2n ** 32n + 1n } }, Code.InvalidArgument, "limits.memory_mib"],
  ["a file as root file system", { rootfs: "/etc/passwd" }, Code.InvalidArgument, "rootfs"],
  ["a relative root file system", { rootfs: "etc" }, Code.InvalidArgument, "rootfs"],
  ["a relative directory", { workingDir: "work" }, Code.InvalidArgument, "working_dir"],
  ["a variable without a name", { env: { "": "1" } }, Code.InvalidArgument, "env"],
  ["a key of two lines", { sshPublicKey: "a\nb" }, Code.InvalidArgument, "ssh_public_key"],
  ["a mount of nothing", { mounts: [{ source: "/none", target: "/x" }] }, Code.InvalidArgument, "mounts[0].source"],
  ["a mount on the root", { mounts: [{ source: "/tmp", target: "/" }] }, Code.InvalidArgument, "mounts[0].target"],
  [
    "a read-only mount",
    { mounts: [{ source: "/tmp", target: "/x", readonly: true }] },
    Code.Unimplemented,
    "mounts[0].readonly",
  ],
])("%s is refused", async (_, request, code, field) => {
  const error = await errorOf(own.sandboxes.create(request));
  expect(error.code).toBe(code);
  expect(error.rawMessage).toMatch(new RegExp(`^${field.replace(/[[\].]/g, "\\$&")}: `));
});

test("limits are reported, the network is the host's, and a list is filtered by labels", async () => {
  const { sandboxes } = own;
  const limits = { vcpus: 8192, memoryMib: 2n ** 32n };
  const id = await own.ready({ id: "facts", limits, network: { mode: "tap" }, labels: { set: "f", n: "1" } });
  await own.ready({ id: "facts-2", labels: { set: "f", n: "2" } });
  const { network, limits: reported } = await sandboxes.inspect({ id });
  expect(reported).toMatchObject(limits);
  expect(network?.tapName).toBe("");
  const listed = async (labels: Record<string, string>): Promise<string[]> =>
    (await sandboxes.list({ labels })).sandboxes.map((one) => one.id);
  expect(await listed({ set: "f" })).toEqual(["facts", "facts-2"]);
  expect(await listed({ set: "f", n: "2" })).toEqual(["facts-2"]);
  expect(await listed({ set: "" })).toEqual([]);
  const [summary] = (await sandboxes.list({ labels: { set: "f" }, state: "ready" })).sandboxes;
  expect(summary).toMatchObject({ id, state: "ready", labels: { set: "f", n: "1" }, ipAddress: network?.ipAddress });
  expect((await sandboxes.list({ labels: { set: "f" }, state: "stopped" })).sandboxes).toEqual([]);
});

describe("files", () => {
  test("a sandbox begins with a copy of its root file system, and with links to what it shares", async () => {
    const base = join(own.path, "base");
    await mkdir(join(base, "bin"), { recursive: true });
    await mkdir(join(base, "data/hidden"), { recursive: true });
    await writeFile(join(base, "bin/hello"), "#!/bin/sh\necho hello from $PWD\n", { mode: 0o755 });
    await symlink("bin/hello", join(base, "link"));
    const shared = join(own.path, "shared");
    await mkdir(shared);
    await writeFile(join(shared, "file"), "shared");
    const mounts = [
      { source: shared, target: "/data" },
      { source: shared, target: "/deep/er" },
    ];
    const id = await own.ready({ id: "files", rootfs: base, workingDir: "/work", mounts });
    const rootfs = own.rootfs(id);
    expect((await lstat(join(rootfs, "link"))).isSymbolicLink()).toBe(true);
    const { stdout } = await readAll(own.sandboxes.run({ id, cmd: ["/bin/hello"] }));
    expect(stdout).toBe(`hello from ${rootfs}/work\n`);
    await readAll(own.sandboxes.run({ id, cmd: ["sh", "-c", "cat ../data/file > new; echo more > ../deep/er/made"] }));
    expect(await readFile(join(rootfs, "work/new"), "utf8")).toBe("shared");
    expect(await readdir(join(base, "data"))).toEqual(["hidden"]);
    await own.sandboxes.remove({ id });
    expect(await readFile(join(shared, "made"), "utf8")).toBe("more\n");
  });

  test("a sandbox that cannot be made has failed, says why, and can be removed", async () => {
    const base = join(own.path, "linked");
    await mkdir(base);
    const outside = join(own.path, "outside");
    await mkdir(outside);
    await symlink(outside, join(base, "data"));
    const id = "failed";
    const events = await subscribed(own.sandboxes, { id });
    await own.ready({ id, rootfs: base, mounts: [{ source: "/tmp", target: "/data/x" }] });
    const { state, error, readyAt } = await own.sandboxes.inspect({ id });
    expect([state, error, readyAt]).toEqual(["failed", "/data/x: data is no directory there", 0n]);
    expect(await readdir(outside)).toEqual([]);
    expect((await errorOf(own.sandboxes.run({ id, cmd: ["true"] }))).code).toBe(Code.FailedPrecondition);
    expect((await errorOf(own.sandboxes.stop({ id }))).code).toBe(Code.FailedPrecondition);
    await own.sandboxes.remove({ id });
    expect((await take(events, 3)).map(({ action, attributes }) => [action, attributes])).toEqual([
      ["created", {}],
      ["failed", { error }],
      ["removed", {}],
    ]);
    await events.return?.();
  });

  test("a directory that no file system makes fails a sandbox, and nothing waits for it", async () => {
    const base = join(own.path, "proc");
    await mkdir(base);
    await symlink("/proc", join(base, "link"));
    const id = await own.ready({ rootfs: base, workingDir: "/link/nowhere/deep" });
    const { state, error } = await own.sandboxes.inspect({ id });
    expect([state, error]).toEqual(["failed", expect.stringContaining("ENOENT")]);
  });

  test("a sandbox is removed whatever its commands made of its folder", async () => {
    const id = await own.ready();
    await readAll(own.sandboxes.run({ id, cmd: ["sh", "-c", "mkdir -p a/b; touch a/b/c; chmod 0 a/b a"] }));
    await own.sandboxes.remove({ id });
    expect(existsSync(own.rootfs(id))).toBe(false);
  });
});
