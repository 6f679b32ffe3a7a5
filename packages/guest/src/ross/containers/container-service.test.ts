import { readFile } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alive, errorOf } from "../../guest.test.support.js";
import { gather, image, imageId, readAll, readUntil, type TestRoss, testRoss } from "../ross.test.support.js";

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

test("wait starts a created container, gives its output and its exit, once", async () => {
  const id = await ross.shell("echo out; echo err >&2; exit 9");
  expect(await stateOf(id)).toMatchObject({ status: "created", running: false, pid: 0 });
  expect(await readAll(containers.wait({ containerId: id }))).toEqual({ stdout: "out\n", stderr: "err\n", code: 9 });
  expect(await stateOf(id)).toMatchObject({ status: "stopped", exitCode: 9, error: "" });
  const again = await errorOf(containers.wait({ containerId: id }));
  expect(again.code).toBe(Code.FailedPrecondition);
  expect(again.rawMessage).toContain("invalid state: expected created, actual stopped");
  expect((await errorOf(containers.wait({ containerId: await ross.shell("x"), condition: "soon" }))).code).toBe(
    Code.InvalidArgument,
  );
});

test("a caller of wait who leaves does not end the container", async () => {
  const id = await ross.shell("echo begun; exec sleep 1000");
  const items = containers.wait({ containerId: id });
  await readUntil(items, "begun");
  await items.return();
  expect((await stateOf(id))?.status).toBe("running");
  await containers.kill({ containerId: id, signal: "KILL" });
  await ended(id);
  expect((await stateOf(id))?.exitCode).toBe(137);
});

test("a reader that takes its time gets everything, also when the process has long ended", async () => {
  const id = await ross.shell("seq 100000");
  const items = containers.wait({ containerId: id });
  await items.next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  let text = "";
  for await (const { output } of items) if (output.case === "data") text += Buffer.from(output.value.data).toString();
  expect(text.endsWith("99999\n100000\n")).toBe(true);
});

test("an image gives command, environment and what else is left open", async () => {
  const { id, warnings } = await containers.createContainer({ name: "plain", config: { image } });
  expect(warnings).toEqual([]);
  expect((await readAll(containers.wait({ containerId: "plain" }))).stdout).toBe("the image's command\n");
  const own = await ross.shell('echo $FROM_IMAGE $OWN $HOSTNAME; pwd; echo "$@"', {
    entrypoint: ["sh", "-c"],
    cmd: ['echo "$FROM_IMAGE $OWN $HOSTNAME"; pwd'],
    env: ["OWN=1", "FROM_IMAGE=no"],
    workingDir: "/srv/app",
    hostname: "box",
  });
  const { stdout } = await readAll(containers.wait({ containerId: own }));
  expect(stdout).toBe(`no 1 box\n${ross.path}/ross/containers/${own}/rootfs/srv/app\n`);
  expect(await containers.inspectContainer({ containerId: id })).toMatchObject({
    path: "echo",
    args: ["the image's command"],
    name: "plain",
    container: { image, imageId, names: ["plain"], command: "echo 'the image'\\''s command'" },
  });
});

test("a container is found by name and by the beginning of its id; names are unique", async () => {
  const { id } = await containers.createContainer({ name: "web", config: { image } });
  const inspect = async (containerId: string) => (await containers.inspectContainer({ containerId })).container?.id;
  expect(await Promise.all([id, "web", id.slice(0, 12)].map(inspect))).toEqual([id, id, id]);
  expect((await errorOf(containers.createContainer({ name: "web", config: { image } }))).code).toBe(Code.AlreadyExists);
  const { id: other } = await containers.createContainer({ name: "db", config: { image } });
  expect((await errorOf(containers.rename({ containerId: "db", newName: "web" }))).code).toBe(Code.AlreadyExists);
  await containers.rename({ containerId: "db", newName: "store" });
  expect(await inspect("store")).toBe(other);
  expect((await errorOf(inspect("db"))).code).toBe(Code.NotFound);
  for (const newName of ["", "-x", "a/b", "x".repeat(129)]) {
    expect((await errorOf(containers.rename({ containerId: other, newName }))).rawMessage).toMatch(/^new_name: /);
  }
});

test("remove deletes a container with its folder; a running one only by force", async () => {
  const id = await ross.shell("exec sleep 1000");
  await containers.startContainer({ containerId: id });
  const { pid = 0 } = (await stateOf(id)) ?? {};
  expect((await errorOf(containers.removeContainer({ containerId: id }))).code).toBe(Code.FailedPrecondition);
  expect((await errorOf(containers.removeContainer({ containerId: id, link: true }))).code).toBe(Code.NotFound);
  await containers.removeContainer({ containerId: id, force: true });
  expect(alive(pid)).toBe(false);
  expect((await errorOf(containers.removeContainer({ containerId: id }))).code).toBe(Code.NotFound);
  await expect(readFile(`${ross.path}/ross/containers/${id}/container.json`)).rejects.toThrow("ENOENT");
});

test("auto_remove removes a container once it has ended", async () => {
  const id = await ross.shell("echo bye; exit 2", {}, { autoRemove: true });
  expect(await readAll(containers.wait({ containerId: id }))).toMatchObject({ stdout: "bye\n", code: 2 });
  await expect
    .poll(() => errorOf(containers.inspectContainer({ containerId: id })))
    .toMatchObject({ code: Code.NotFound });
});

test("a listing shows the running ones, all, the newest, or those that match", async () => {
  const mark = { labels: { suite: "list" } };
  const filters = { label: "suite=list" };
  const made = [await ross.shell("exec sleep 1000", mark), await ross.shell("exit 0", mark)];
  await containers.startContainer({ containerId: made[0] ?? "" });
  const list = async (request: object) => (await containers.listContainers(request)).containers.map(({ id }) => id);
  expect(await list({ filters })).toEqual([made[0]]);
  expect((await list({ filters, all: true })).toSorted()).toEqual(made.toSorted());
  expect(await list({ filters: { ...filters, status: "created" } })).toEqual([made[1]]);
  expect(await list({ limit: 1 })).toHaveLength(1);
  expect(await list({ filters: { label: "suite=none" } })).toEqual([]);
  expect((await errorOf(list({ filters: { colour: "red" } }))).rawMessage).toContain('filters["colour"]');
  expect((await errorOf(list({ filters: { status: "exited" } }))).code).toBe(Code.InvalidArgument);
  expect((await errorOf(list({ limit: -1 }))).code).toBe(Code.InvalidArgument);
});

test("what a plain process cannot have is a warning, and kept in the record", async () => {
  const { id, warnings } = await containers.createContainer({
    config: { image, volumes: { "/data": {} }, healthcheck: { test: ["CMD", "true"] } },
    hostConfig: { resources: { memory: 1n << 30n, pidsLimit: 10n }, binds: ["/a:/b"], privileged: true },
  });
  expect(warnings.map((warning) => warning.split(":")[0])).toEqual([
    "host_config.binds",
    "host_config.privileged",
    "host_config.resources",
    "config.volumes",
    "config.healthcheck",
  ]);
  const { hostConfig, config } = await containers.inspectContainer({ containerId: id });
  expect(hostConfig).toMatchObject({ binds: ["/a:/b"], privileged: true, resources: { memory: 1n << 30n } });
  expect(config?.image).toBe(image);
});

test("every call answers the documented status for a missing id and an unknown one", async () => {
  const calls = (containerId: string) => [
    containers.startContainer({ containerId }),
    containers.stopContainer({ containerId }),
    containers.restartContainer({ containerId }),
    containers.inspectContainer({ containerId }),
    containers.removeContainer({ containerId }),
    containers.pauseContainer({ containerId }),
    containers.unpauseContainer({ containerId }),
    containers.getLogs({ containerId }),
    containers.exec({ containerId, config: { cmd: ["x"] } }),
    containers.attach([{ containerId }]),
    containers.wait({ containerId }),
    containers.runInteractive([{ input: { case: "start", value: { containerId } } }]),
    containers.kill({ containerId }),
    containers.rename({ containerId, newName: "x" }),
    containers.stats({ containerId }),
  ];
  for (const call of calls("")) {
    expect(await errorOf(call)).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "container_id: must not be empty: invalid argument",
    });
  }
  for (const call of calls("nobody")) expect((await errorOf(call)).code).toBe(Code.NotFound);
  expect((await errorOf(containers.execStart({}))).rawMessage).toMatch(/^exec_id: /);
  expect((await errorOf(containers.execStart({ execId: "none" }))).code).toBe(Code.NotFound);
  expect((await errorOf(containers.attach([]))).code).toBe(Code.InvalidArgument);
});

test("a container that cannot be made is refused with the field that is wrong", async () => {
  const refused = async (config: object | undefined) => {
    const { code, rawMessage } = await errorOf(containers.createContainer({ ...(config && { config }) }));
    return [code, rawMessage.split(":")[0]];
  };
  expect(await refused(undefined)).toEqual([Code.InvalidArgument, "config"]);
  expect(await refused({})).toEqual([Code.InvalidArgument, "config.image"]);
  expect(await refused({ image: "UPPER case" })).toEqual([Code.InvalidArgument, "config.image"]);
  expect(await refused({ image: "absent:1" })).toEqual([Code.NotFound, 'image "absent']);
  expect(await refused({ image, env: ["novalue"] })).toEqual([Code.InvalidArgument, "config.env[0]"]);
  expect(await refused({ image, cmd: ["a\0b"] })).toEqual([Code.InvalidArgument, "config.cmd[0]"]);
  expect(await refused({ image, workingDir: "relative" })).toEqual([Code.InvalidArgument, "config.working_dir"]);
  expect(await refused({ image, stopSignal: "SIGX" })).toEqual([Code.InvalidArgument, "config.stop_signal"]);
  expect(await refused({ image, stopTimeout: -1 })).toEqual([Code.InvalidArgument, "config.stop_timeout"]);
  expect((await errorOf(containers.createContainer({ name: "a b", config: { image } }))).rawMessage).toMatch(/^name: /);
});

test("a program that is missing, or a user that is not known, is told at the start and in the record", async () => {
  const id = await ross.shell("", { cmd: ["/no/such/program"] });
  const error = await errorOf(containers.startContainer({ containerId: id }));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toContain('"/no/such/program" is not found');
  expect(await stateOf(id)).toMatchObject({ status: "created", error: expect.stringContaining("not found") });
  const nobody = await ross.shell("id", { user: "no-such-user" });
  expect((await errorOf(containers.startContainer({ containerId: nobody }))).rawMessage).toMatch(/^config.user: /);
});

test("statistics: one sample at once, one with an earlier one, or a stream until the end", async () => {
  const id = await ross.shell("while read -r x; do :; done", { openStdin: true });
  const samples = async (request: object) => gather(containers.stats({ containerId: id, ...request }));
  expect(await samples({})).toMatchObject([{ pidsStats: { current: 0n } }]);
  await containers.startContainer({ containerId: id });
  const [once] = await samples({ oneShot: true });
  expect(once?.pidsStats?.current).toBe(1n);
  expect(once?.memoryStats?.usage).toBeGreaterThan(0n);
  expect(once?.preread).toBeUndefined();
  const [pair] = await samples({});
  expect(pair?.cpuStats?.systemCpuUsage).toBeGreaterThan(pair?.precpuStats?.systemCpuUsage ?? 0n);
  const stream = containers.stats({ containerId: id, stream: true });
  await stream.next();
  await containers.stopContainer({ containerId: id, timeout: 1000 });
  expect((await stream.next()).done).toBe(true);
});

test("a user is looked up, with a terminal as without; another one takes a guest that is root", async () => {
  for (const tty of [false, true]) {
    const id = await ross.shell("id -u; id -g; test -w /dev/stdout || test ! -t 1 || echo closed", {
      user: "65534:65534",
      tty,
    });
    const result = await readAll(containers.wait({ containerId: id })).catch((error) => error.code);
    const line = tty ? "65534\r\n65534\r\n" : "65534\n65534\n";
    expect(result).toEqual(process.getuid?.() === 0 ? { stdout: line, stderr: "", code: 0 } : Code.PermissionDenied);
  }
});
