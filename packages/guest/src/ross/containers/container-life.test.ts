import { readFile } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { gather, readAll, readUntil, type TestRoss, testRoss } from "../ross.test.support.js";

let ross: TestRoss;
let containers: TestRoss["containers"];

beforeAll(async () => {
  ross = await testRoss();
  containers = ross.containers;
});
afterAll(() => ross[Symbol.asyncDispose]());

const stateOf = async (containerId: string) => (await containers.inspectContainer({ containerId })).state;
const ended = async (containerId: string): Promise<void> => {
  // Follows the log to its end, which comes with the container's.
  for await (const _ of containers.getLogs({ containerId, follow: true }));
};

test("stop returns as soon as the container has ended, and kills what passes over SIGTERM", async () => {
  const quick = await ross.shell("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done");
  const items = containers.wait({ containerId: quick });
  await readUntil(items, "ready");
  await containers.stopContainer({ containerId: quick, timeout: 1000 });
  expect((await readAll(items)).code).toBe(4);
  const stubborn = await ross.shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  const more = containers.wait({ containerId: stubborn });
  await readUntil(more, "ready");
  await containers.stopContainer({ containerId: stubborn, timeout: 1 });
  expect((await readAll(more)).code).toBe(137);
  expect((await errorOf(containers.stopContainer({ containerId: stubborn }))).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(containers.stopContainer({ containerId: quick, timeout: -1 }))).code).toBe(
    Code.InvalidArgument,
  );
});

test("stop uses the container's own signal", async () => {
  const id = await ross.shell("trap 'exit 6' USR1; echo ready; while :; do sleep 0.01; done", {
    stopSignal: "SIGUSR1",
  });
  const items = containers.wait({ containerId: id });
  await readUntil(items, "ready");
  await containers.stopContainer({ containerId: id, timeout: 1000 });
  expect((await readAll(items)).code).toBe(6);
});

test("all processes of a container end with its first one, also those that hid", async () => {
  const id = await ross.shell("setsid sleep 1000 & echo pid $!; env -i sleep 1001 & echo bare $!; sleep 0.1");
  const { stdout } = await readAll(containers.wait({ containerId: id }));
  const pids = [...stdout.matchAll(/\d+/g)].map(([pid]) => Number(pid));
  expect(pids).toHaveLength(2);
  expect(pids.map(alive)).toEqual([false, false]);
});

test("kill takes names and numbers, and SIGTERM by default", async () => {
  const id = await ross.shell(
    "trap 'echo hup' HUP; trap 'echo usr1' USR1; trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done",
  );
  const items = containers.wait({ containerId: id });
  await readUntil(items, "ready");
  await containers.kill({ containerId: id, signal: "hup" });
  await readUntil(items, "hup");
  await containers.kill({ containerId: id, signal: "10" });
  await readUntil(items, "usr1");
  for (const signal of ["SIGNONE", "0", "65", "-9"]) {
    expect((await errorOf(containers.kill({ containerId: id, signal }))).rawMessage).toMatch(/^signal: /);
  }
  await containers.kill({ containerId: id });
  expect((await readAll(items)).code).toBe(8);
  expect((await errorOf(containers.kill({ containerId: id }))).code).toBe(Code.FailedPrecondition);
});

test("a paused container stands still until it may go on", async () => {
  const id = await ross.shell("echo ready; read -r x; echo over", { openStdin: true });
  await containers.startContainer({ containerId: id });
  await readUntil(containers.getLogs({ containerId: id, follow: true }), "ready");
  await containers.pauseContainer({ containerId: id });
  const { pid = 0, status } = (await stateOf(id)) ?? {};
  expect(status).toBe("paused");
  expect(await readFile(`/proc/${pid}/stat`, "latin1")).toMatch(/\) T /);
  for (const call of [
    containers.pauseContainer({ containerId: id }),
    containers.startContainer({ containerId: id }),
    containers.exec({ containerId: id, config: { cmd: ["true"] } }),
  ]) {
    expect((await errorOf(call)).code).toBe(Code.FailedPrecondition);
  }
  expect((await containers.listContainers({})).containers.find((found) => found.id === id)?.status).toMatch(/Paused/);
  await containers.unpauseContainer({ containerId: id });
  expect(await readFile(`/proc/${pid}/stat`, "latin1")).not.toMatch(/\) T /);
  expect((await errorOf(containers.unpauseContainer({ containerId: id }))).code).toBe(Code.FailedPrecondition);
  await containers.pauseContainer({ containerId: id });
  await containers.stopContainer({ containerId: id, timeout: 1000 });
  expect((await stateOf(id))?.status).toBe("stopped");
  expect((await errorOf(containers.pauseContainer({ containerId: id }))).code).toBe(Code.FailedPrecondition);
});

test("start and restart run a container again; its log goes on", async () => {
  const id = await ross.shell("echo run; test -e marker || exec sleep 1000; rm marker");
  await containers.startContainer({ containerId: id });
  expect((await errorOf(containers.startContainer({ containerId: id }))).code).toBe(Code.FailedPrecondition);
  await readUntil(containers.getLogs({ containerId: id, follow: true }), "run");
  const before = (await stateOf(id))?.pid;
  await containers.restartContainer({ containerId: id, timeout: 1000 });
  expect((await stateOf(id))?.pid).not.toBe(before);
  await containers.stopContainer({ containerId: id, timeout: 1000 });
  await containers.restartContainer({ containerId: id });
  await containers.kill({ containerId: id, signal: "9" });
  await ended(id);
  let runs = 0;
  for await (const { message } of containers.getLogs({ containerId: id })) if (message === "run") runs++;
  expect(runs).toBeGreaterThanOrEqual(2);
});

test("a restart policy starts a container again, as often as it says, and not after a stop", async () => {
  const policy = (name: string, maximumRetryCount = 0) => ({ restartPolicy: { name, maximumRetryCount } });
  const failing = await ross.shell("echo again; exit 1", {}, policy("on-failure", 2));
  await containers.startContainer({ containerId: failing });
  await ended(failing);
  const { restartCount, state } = await containers.inspectContainer({ containerId: failing });
  expect([restartCount, state?.exitCode, state?.restarting]).toEqual([2n, 1, false]);
  const waiting = await ross.shell("exit 1", {}, policy("on-failure"));
  await containers.startContainer({ containerId: waiting });
  await expect.poll(async () => (await stateOf(waiting))?.restarting).toBe(true);
  const follower = ended(waiting);
  await containers.stopContainer({ containerId: waiting, timeout: 1000 });
  await follower;
  expect((await stateOf(waiting))?.restarting).toBe(false);
  const always = await ross.shell("echo begun; exec sleep 1000", {}, policy("always"));
  await containers.startContainer({ containerId: always });
  await containers.stopContainer({ containerId: always, timeout: 1000 });
  expect(await stateOf(always)).toMatchObject({ status: "stopped", restarting: false });
  for (const bad of [policy("sometimes"), policy("always", 3), { ...policy("always"), autoRemove: true }]) {
    expect((await errorOf(ross.shell("x", {}, bad))).code).toBe(Code.InvalidArgument);
  }
});

test("containers are still there after a restart of the guest, with their logs, and do not run", async () => {
  await using first = await testRoss();
  const id = await first.shell("echo before; exec sleep 1000");
  await first.containers.startContainer({ containerId: id });
  await readUntil(first.containers.getLogs({ containerId: id, follow: true }), "before");
  await using second = await first.reopen();
  const { state, name } = await second.containers.inspectContainer({ containerId: id });
  expect(state).toMatchObject({ status: "stopped", exitCode: 143, pid: 0 });
  expect(name).toMatch(/^ross-/);
  expect(await gather(second.containers.getLogs({ containerId: id }), ({ message }) => message)).toEqual(["before"]);
  await second.containers.startContainer({ containerId: id });
  await readUntil(second.containers.getLogs({ containerId: id, follow: true }), /before.*before/);
});

test("nothing starts once the services close, and who follows gets the end", async () => {
  await using own = await testRoss();
  const id = await own.shell("echo on; exec sleep 1000");
  const items = own.containers.wait({ containerId: id });
  await readUntil(items, "on");
  const other = await own.shell("true");
  await own.services.close(1000);
  expect((await readAll(items)).code).toBe(143);
  const calls = [
    own.containers.startContainer({ containerId: other }),
    own.shell("x"),
    own.containers.restartContainer({ containerId: id }),
  ];
  for (const call of calls) expect((await errorOf(call)).code).toBe(Code.FailedPrecondition);
});
