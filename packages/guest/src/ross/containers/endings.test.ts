import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { execsPerContainer } from "../limits.js";
import { gather, readAll, readUntil, testRoss } from "../ross.test.support.js";

const stubborn = "trap '' TERM; echo on; while :; do sleep 0.1; done";

test("a client's patient stop does not hold up the end of the guest", async () => {
  await using ross = await testRoss();
  const ids = await Promise.all([ross.shell(stubborn), ross.shell(stubborn)]);
  const runs = ids.map((containerId) => ross.containers.wait({ containerId }));
  for (const run of runs) await readUntil(run, "on");
  const calls = [
    ross.containers.stopContainer({ containerId: ids[0] as string, timeout: 3600 }),
    ross.containers.restartContainer({ containerId: ids[1] as string, timeout: 3600 }).catch(() => {}),
  ];
  // Behind the two in their containers' queues.
  await expect.poll(() => errorOf(ross.containers.attach([]))).toBeDefined();
  await ross.services.close(50);
  for (const run of runs) expect((await readAll(run)).code).toBe(137);
  await Promise.all(calls);
});

test("a command beside the container that cleared its environment ends with it", async () => {
  await using ross = await testRoss();
  const containerId = await ross.shell("echo on; exec sleep 1000");
  const run = ross.containers.wait({ containerId });
  await readUntil(run, "on");
  const script = "trap '' TERM; echo $$; while :; do /bin/sleep 0.1; done";
  const config = { cmd: ["env", "-i", "/bin/sh", "-c", script], attachStdout: true };
  const { execId } = await ross.containers.exec({ containerId, config });
  const pid = Number(await readUntil(ross.containers.execStart({ execId }), "\n"));
  expect(alive(pid)).toBe(true);
  await ross.containers.stopContainer({ containerId });
  expect(alive(pid)).toBe(false);
});

test("a container that cannot be removed is there as before", async () => {
  await using ross = await testRoss();
  const containerId = await ross.shell("echo on");
  await readAll(ross.containers.wait({ containerId }));
  const scratch = join(ross.path, "scratch");
  await rename(scratch, `${scratch}-away`);
  const error = await errorOf(ross.containers.removeContainer({ containerId }));
  expect([error.code, error.rawMessage]).toEqual([Code.Internal, expect.stringContaining("ENOENT")]);
  await rename(`${scratch}-away`, scratch);
  await ross.containers.startContainer({ containerId });
  await ross.containers.removeContainer({ containerId, force: true });
  expect((await ross.containers.listContainers({ all: true })).containers).toEqual([]);
  expect([await readdir(scratch), await readdir(join(ross.path, "ross/containers"))]).toEqual([[], []]);
});

test("a log that could not be opened once can be opened later", async () => {
  await using ross = await testRoss();
  const containerId = await ross.shell("echo on");
  const log = join(ross.path, "ross/containers", containerId, "log");
  await writeFile(log, "");
  await errorOf(gather(ross.containers.getLogs({ containerId })));
  await rm(log);
  await readAll(ross.containers.wait({ containerId }));
  expect(await gather(ross.containers.getLogs({ containerId }), ({ message }) => message)).toEqual(["on"]);
});

test("commands that could not be started make room for others", async () => {
  await using ross = await testRoss();
  const containerId = await ross.shell("exec sleep 1000");
  await ross.containers.startContainer({ containerId });
  const failing = { cmd: ["/no/such/program"] };
  for (let count = 0; count < execsPerContainer + 2; count++) {
    const { execId } = await ross.containers.exec({ containerId, config: failing });
    await errorOf(gather(ross.containers.execStart({ execId })));
  }
  expect((await ross.containers.inspectContainer({ containerId })).execIds).toHaveLength(execsPerContainer);
});
