import { once } from "node:events";
import { link, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentService } from "@guestwire/agent";
import { type Client, Code } from "@guestwire/rpc";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorOf, type TestGuest, testGuest } from "../guest.test.support.js";
import { version } from "../version.js";

let folder: string;
let guest: TestGuest;
let agent: Client<typeof AgentService>;

const runtime = () => ({
  dockerSocket: join(folder, "docker.sock"),
  containerdSocket: join(folder, "containerd.sock"),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-agent-"));
  guest = await testGuest({ runtime: runtime() });
  agent = guest.client(AgentService);
});

afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function listen(name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await once(server.listen(join(folder, name)), "listening");
  return server;
}

async function stop(server: Server): Promise<void> {
  await once(server.close(), "close");
}

test("ping answers with the text and the version", async () => {
  expect(await agent.ping({})).toMatchObject({ message: "pong", version });
  expect(await agent.ping({ message: "hi" })).toMatchObject({ message: "pong: hi", version });
});

test("ping sets the guest's clock, and not the host's", async () => {
  await using own = await testGuest();
  const events = own.client(Events).stream({});
  const seconds = async (id: string) => {
    await own.container(id, ["true"]);
    return Number((await events.next()).value?.timestamp?.seconds);
  };
  const host = Date.now();
  // Close to the guest's own time: nothing moves.
  await own.client(AgentService).ping({ timestampSecs: BigInt(Math.floor(host / 1000)) });
  expect(await seconds("before")).toBeGreaterThanOrEqual(Math.floor(host / 1000));
  await own.client(AgentService).ping({ timestampSecs: 1_000_000_000n });
  expect(Math.abs((await seconds("after")) - 1_000_000_000)).toBeLessThan(60);
  expect(Date.now()).toBeGreaterThanOrEqual(host);
  await own.client(AgentService).ping({ timestampSecs: -5n });
  expect(Math.abs((await seconds("still")) - 1_000_000_000)).toBeLessThan(60);
  expect((await errorOf(own.client(AgentService).ping({ timestampSecs: 2n ** 62n }))).code).toBe(Code.InvalidArgument);
  await events.return?.();
});

test("system facts come from the kernel", async () => {
  const facts = await agent.getSystemInfo({});
  expect(facts).toMatchObject({
    kernelVersion: os.release(),
    arch: os.machine(),
    hostname: os.hostname(),
    cpuCount: os.availableParallelism(),
    totalMemory: BigInt(os.totalmem()),
  });
  expect(facts.availableMemory).toBeGreaterThan(0n);
  expect(facts.loadAverage).toHaveLength(3);
  expect(Math.abs(Number(facts.uptime) - os.uptime())).toBeLessThan(60);
  expect(facts.ipAddresses).not.toContain("127.0.0.1");
});

test("the runtime's status is what its sockets say", async () => {
  const none = await agent.getRuntimeStatus({});
  expect(none).toMatchObject({ containerdReady: false, dockerReady: false });
  expect(none.services.map(({ name, status }) => [name, status])).toEqual([
    ["containerd", "not_ready"],
    ["dockerd", "not_ready"],
  ]);
  const docker = await listen("docker.sock");
  expect(await agent.getRuntimeStatus({})).toMatchObject({
    containerdReady: false,
    dockerReady: true,
    endpoint: `unix://${join(folder, "docker.sock")}`,
  });
  await stop(docker);
});

test("a socket that nobody serves any more is not ready, and one that cannot be probed an error", async () => {
  await using own = await testGuest({
    runtime: { dockerSocket: join(folder, "file.sock"), containerdSocket: join(folder, "none.sock") },
  });
  const server = createServer();
  await once(server.listen(join(folder, "real.sock")), "listening");
  // A copy of the name outlives the server, which removes only its own.
  await link(join(folder, "real.sock"), join(folder, "file.sock"));
  await stop(server);
  const { services } = await own.client(AgentService).getRuntimeStatus({});
  expect(services).toMatchObject([
    { name: "containerd", status: "not_ready" },
    { name: "dockerd", status: "not_ready" },
  ]);
  await using odd = await testGuest({ runtime: { dockerSocket: `/${"x".repeat(300)}` } });
  const status = await odd.client(AgentService).getRuntimeStatus({});
  expect(status.services[1]?.status).toBe("error");
});

test("ensure reuses what runs and fails where nothing can be started", async () => {
  expect(await agent.ensureRuntime({})).toMatchObject({ ready: false, status: "failed" });
  expect(await agent.ensureRuntime({ startIfNeeded: true })).toMatchObject({ ready: false, status: "failed" });
  const docker = await listen("docker.sock");
  expect(await agent.ensureRuntime({})).toMatchObject({ ready: true, status: "reused" });
  await stop(docker);
});

test("ensure starts once in the background and tries again after a failure", async () => {
  const starts: PromiseWithResolvers<void>[] = [];
  const start = () => {
    const started = Promise.withResolvers<void>();
    starts.push(started);
    return started.promise;
  };
  await using own = await testGuest({ runtime: { ...runtime(), start } });
  const ensure = () => own.client(AgentService).ensureRuntime({ startIfNeeded: true });
  expect(await ensure()).toMatchObject({ ready: false, status: "starting", message: "" });
  expect(await ensure()).toMatchObject({ ready: false, status: "starting" });
  expect(starts).toHaveLength(1);
  starts[0]?.reject(new Error("no space"));
  expect(await ensure()).toMatchObject({
    ready: false,
    status: "starting",
    message: "the last start failed: no space",
  });
  expect(starts).toHaveLength(2);
  const docker = await listen("docker.sock");
  starts[1]?.resolve();
  expect(await ensure()).toMatchObject({ ready: true, status: "reused" });
  await stop(docker);
});

test("there is no Kubernetes, and every call says so", async () => {
  for (const call of [agent.startKubernetes, agent.stopKubernetes, agent.deleteKubernetes]) {
    expect((await errorOf(call({}))).code).toBe(Code.Internal);
  }
  expect((await errorOf(agent.getKubeconfig({}))).code).toBe(Code.NotFound);
  expect(await agent.getKubernetesStatus({})).toMatchObject({ running: false, apiReady: false });
});

test("a shutdown is accepted, and then the guest ends with all of its processes", async () => {
  await using own = await testGuest();
  await own.container("web", ["sleep", "1000"]);
  await own.client(Task).start({ id: "web" });
  const waiting = own.client(Task).wait({ id: "web" });
  const events = own.client(Events).stream({});
  expect(await own.client(AgentService).shutdown({})).toMatchObject({ accepted: true });
  await own.guest.ended;
  expect((await waiting).exitStatus).toBe(143);
  expect((await events.next()).value?.topic).toBe("/tasks/exit");
  expect((await events.next()).done).toBe(true);
});

test("a process that ignores SIGTERM is killed after the grace of the request", async () => {
  await using own = await testGuest();
  await own.container("deaf", ["sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"]);
  await own.client(Task).start({ id: "deaf" });
  const waiting = own.client(Task).wait({ id: "deaf" });
  await own.client(AgentService).shutdown({ timeoutSeconds: 1 });
  expect((await waiting).exitStatus).toBe(137);
  await own.guest.ended;
});
