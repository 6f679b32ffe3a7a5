import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, Code } from "@guestwire/rpc";
import { SystemInfo } from "@guestwire/system";
import { System } from "@guestwire/system/vminitd";
import { Status } from "@guestwire/types/containerd";
import { Task } from "@guestwire/types/task/v3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, execSpec, type TestGuest, testGuest } from "../guest.test.support.js";
import { version } from "../version.js";
import { createFilesystems, noFreezer } from "./filesystems.js";

let sysRoot: string;
let guest: TestGuest;
let system: Client<typeof System>;

/** Writes a file of the test's sysfs. */
async function sys(path: string, text: string): Promise<void> {
  const file = join(sysRoot, "devices/system", path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, text);
}

const read = (path: string): Promise<string> => readFile(join(sysRoot, "devices/system", path), "utf8");

beforeAll(async () => {
  sysRoot = await mkdtemp(join(tmpdir(), "gw-sys-"));
  guest = await testGuest({ sysRoot, manageHardware: true });
  system = guest.client(System);
  await sys("cpu/cpu0/online", "1\n");
  await sys("cpu/cpu2/topology", "");
  await sys("memory/auto_online_blocks", "offline\n");
});

afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  await rm(sysRoot, { recursive: true });
});

test("facts come from the kernel, in both shapes", async () => {
  const info = await system.info({});
  expect(info.version).toBe(version);
  expect(info.kernelVersion).toBe(await readFile("/proc/version", "utf8"));
  const seed = await guest.client(SystemInfo).systemInfo({});
  expect(seed.kernelVersion).toBe(os.release());
  expect(seed.cpuCount).toBe(os.availableParallelism());
  expect(Number(seed.memoryBytes)).toBe(os.totalmem());
});

describe("CPUs", () => {
  test("a CPU goes out of use and comes back; a second time changes nothing", async () => {
    await sys("cpu/cpu1/online", "1\n");
    await system.offlineCPU({ cpuId: 1 });
    expect(await read("cpu/cpu1/online")).toBe("0");
    await system.offlineCPU({ cpuId: 1 });
    await system.onlineCPU({ cpuId: 1 });
    expect(await read("cpu/cpu1/online")).toBe("1");
    await system.onlineCPU({ cpuId: 1 });
  });

  test("CPU 0 cannot go and is always there", async () => {
    expect((await errorOf(system.offlineCPU({}))).code).toBe(Code.InvalidArgument);
    await system.onlineCPU({ cpuId: 0 });
  });

  test("an unknown CPU is NotFound, and one that the kernel keeps FailedPrecondition", async () => {
    expect((await errorOf(system.offlineCPU({ cpuId: 99 }))).code).toBe(Code.NotFound);
    expect((await errorOf(system.onlineCPU({ cpuId: 99 }))).code).toBe(Code.NotFound);
    expect((await errorOf(system.offlineCPU({ cpuId: 2 }))).code).toBe(Code.FailedPrecondition);
    await system.onlineCPU({ cpuId: 2 });
  });

  test("a CPU that shows up while the guest waits is taken into use", async () => {
    const waiting = system.onlineCPU({ cpuId: 3 });
    // The folder appears last, with the file in it.
    await sys("plugged/online", "0\n");
    await rename(join(sysRoot, "devices/system/plugged"), join(sysRoot, "devices/system/cpu/cpu3"));
    await waiting;
    expect(await read("cpu/cpu3/online")).toBe("1");
  });
});

describe("memory", () => {
  test("a block goes out of use and comes back; a second time changes nothing", async () => {
    await sys("memory/memory1/state", "online\n");
    await sys("memory/memory1/removable", "1\n");
    await system.offlineMemory({ memoryId: 1 });
    expect(await read("memory/memory1/state")).toBe("offline");
    await system.offlineMemory({ memoryId: 1 });
    await system.onlineMemory({ memoryId: 1 });
    expect(await read("memory/memory1/state")).toBe("online");
    await system.onlineMemory({ memoryId: 1 });
  });

  test("an unknown block is NotFound, and one that cannot be removed FailedPrecondition", async () => {
    await sys("memory/memory2/state", "online\n");
    await sys("memory/memory2/removable", "0\n");
    expect((await errorOf(system.offlineMemory({ memoryId: 9 }))).code).toBe(Code.NotFound);
    expect((await errorOf(system.onlineMemory({ memoryId: 9 }))).code).toBe(Code.NotFound);
    expect((await errorOf(system.offlineMemory({ memoryId: 2 }))).code).toBe(Code.FailedPrecondition);
  });

  test("a kernel that brings blocks online by itself is left alone", async () => {
    await sys("memory/memory3/state", "offline\n");
    await sys("memory/auto_online_blocks", "online_movable\n");
    await system.onlineMemory({ memoryId: 3 });
    expect(await read("memory/memory3/state")).toBe("offline\n");
    await sys("memory/auto_online_blocks", "offline\n");
  });
});

test("a guest that was not told to leaves its host's hardware alone", async () => {
  await sys("cpu/cpu4/online", "1\n");
  await sys("memory/memory4/state", "offline\n");
  await using careful = await testGuest({ sysRoot });
  const own = careful.client(System);
  const error = await errorOf(own.offlineCPU({ cpuId: 4 }));
  expect(error.code).toBe(Code.PermissionDenied);
  expect(error.rawMessage).toContain("--manage-hardware");
  expect((await errorOf(own.onlineMemory({ memoryId: 4 }))).code).toBe(Code.PermissionDenied);
  expect(await read("cpu/cpu4/online")).toBe("1\n");
  expect((await errorOf(own.offlineCPU({ cpuId: 0 }))).code).toBe(Code.InvalidArgument);
  expect((await errorOf(own.offlineCPU({ cpuId: 99 }))).code).toBe(Code.NotFound);
});

describe("file systems", () => {
  const table = [
    "/dev/a / ext4 rw 0 0",
    "/dev/b /data\\040x ext4 rw 0 0",
    "/dev/a /again ext4 rw 0 0",
    "x /proc proc rw",
  ];

  async function mounts(lines: readonly string[]): Promise<string> {
    const path = join(sysRoot, "mounts");
    await writeFile(path, lines.join("\n"));
    return path;
  }

  test("all ext4 mounts are frozen, each once, and thawed", async () => {
    const done: string[] = [];
    const freezer = {
      freeze: async (point: string) => void done.push(`freeze ${point}`),
      thaw: async (point: string) => void done.push(`thaw ${point}`),
    };
    const filesystems = createFilesystems(freezer, await mounts(table));
    expect(await filesystems.freeze()).toEqual(["/", "/data x"]);
    await filesystems.thaw();
    await filesystems.thaw();
    expect(done).toEqual(["freeze /", "freeze /data x", "thaw /", "thaw /data x"]);
  });

  test("when one cannot be frozen the others are thawed again", async () => {
    const done: string[] = [];
    const freezer = {
      async freeze(point: string) {
        if (point !== "/") throw new Error("device busy");
      },
      thaw: async (point: string) => void done.push(point),
    };
    const filesystems = createFilesystems(freezer, await mounts(table));
    const error = await errorOf(filesystems.freeze());
    expect(error.code).toBe(Code.Unknown);
    expect(error.rawMessage).toBe("freeze /data x: device busy: unknown");
    expect(done).toEqual(["/"]);
    await filesystems.thaw();
    expect(done).toEqual(["/"]);
  });

  test("every mount is thawed although one fails, and forgotten", async () => {
    const done: string[] = [];
    const freezer = {
      async freeze() {},
      async thaw(point: string) {
        done.push(point);
        throw new Error(`no ${point}`);
      },
    };
    const filesystems = createFilesystems(freezer, await mounts(table));
    await filesystems.freeze();
    expect((await errorOf(filesystems.thaw())).rawMessage).toBe("thaw /: no /: unknown");
    expect(done).toEqual(["/", "/data x"]);
    await filesystems.thaw();
  });

  test("without a freezer a host with ext4 answers Unknown, one without freezes nothing", async () => {
    expect((await errorOf(createFilesystems(noFreezer, await mounts(table)).freeze())).code).toBe(Code.Unknown);
    expect(await createFilesystems(noFreezer, await mounts(["x / btrfs rw 0 0"])).freeze()).toEqual([]);
  });

  test("the service freezes with the freezer that it was given, and thaws without having frozen", async () => {
    const done: string[] = [];
    const freezer = { freeze: async (point: string) => void done.push(point), thaw: async () => {} };
    await using own = await testGuest({ freezer });
    const { frozen } = await own.client(System).freezeFilesystems({});
    expect(frozen).toEqual(done);
    await own.client(System).thawFilesystems({});
    await system.thawFilesystems({});
  });
});

test("before a shutdown all containers end, and no more come", async () => {
  await using own = await testGuest();
  const tasks = own.client(Task);
  await own.container("kind", ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.01; done"]);
  await own.container("created", ["true"]);
  await tasks.start({ id: "kind" });
  await own.client(System).prepareShutdown({});
  expect((await tasks.state({ id: "kind" })).status).toBe(Status.STOPPED);
  expect((await tasks.state({ id: "created" })).status).toBe(Status.STOPPED);
  const { bundle } = await tasks.state({ id: "kind" });
  const refused = [
    tasks.create({ id: "new", bundle }),
    tasks.start({ id: "kind" }),
    tasks.exec({ id: "kind", execId: "x", spec: execSpec(["true"]) }),
  ];
  for (const call of refused) {
    const error = await errorOf(call);
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toContain("shutting down");
  }
  expect((await own.client(System).info({})).version).toBe(version);
});
