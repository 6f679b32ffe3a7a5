import { create } from "@bufbuild/protobuf";
import { type Client, Code } from "@guestwire/rpc";
import type { Envelope } from "@guestwire/types/containerd";
import { TaskExitSchema, unpackTaskEvent } from "@guestwire/types/events";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClock } from "../clock.js";
import { errorOf, execSpec, type TestGuest, testGuest } from "../guest.test.support.js";
import { eventBacklog } from "../limits.js";
import { createEventBus } from "./event-bus.js";

let guest: TestGuest;
let tasks: Client<typeof Task>;

beforeAll(async () => {
  guest = await testGuest();
  tasks = guest.client(Task);
});

afterAll(() => guest[Symbol.asyncDispose]());

/** Everything that is published until init of `id` is deleted. */
async function until(id: string, stream: AsyncIterable<Envelope>): Promise<Envelope[]> {
  const seen: Envelope[] = [];
  for await (const envelope of stream) {
    const event = unpackTaskEvent(envelope.event);
    if (event === undefined || !("containerId" in event) || event.containerId !== id) continue;
    seen.push(envelope);
    if (event.$typeName === "containerd.events.TaskDelete") break;
  }
  return seen;
}

test("every subscriber sees what happens, in order, with init's exit last", async () => {
  const events = guest.client(Events);
  const watching = [until("web", events.stream({})), until("web", events.stream({}))];
  const before = Date.now();
  await guest.container("web", ["sh", "-c", "read -r go; exit 5"]);
  const { pid } = await tasks.start({ id: "web" });
  await tasks.exec({ id: "web", execId: "shell", spec: execSpec(["sleep", "1000"]) });
  const shell = await tasks.start({ id: "web", execId: "shell" });
  await tasks.closeIO({ id: "web", stdin: true });
  await tasks.wait({ id: "web" });
  await tasks.delete({ id: "web" });

  const containerId = "web";
  const bundle = `${guest.guest.stateDir}/bundles/web`;
  for (const seen of await Promise.all(watching)) {
    expect(seen.map(({ topic, event }) => [topic, event?.typeUrl, unpackTaskEvent(event)])).toMatchObject([
      ["/tasks/create", "containerd.events.TaskCreate", { containerId, bundle, pid }],
      ["/tasks/start", "containerd.events.TaskStart", { containerId, pid }],
      ["/tasks/exec-added", "containerd.events.TaskExecAdded", { containerId, execId: "shell" }],
      ["/tasks/exec-started", "containerd.events.TaskExecStarted", { containerId, execId: "shell", pid: shell.pid }],
      ["/tasks/exit", "containerd.events.TaskExit", { containerId, id: "shell", pid: shell.pid, exitStatus: 137 }],
      ["/tasks/exit", "containerd.events.TaskExit", { containerId, id: "web", pid, exitStatus: 5 }],
      ["/tasks/delete", "containerd.events.TaskDelete", { containerId, id: "", pid, exitStatus: 5 }],
    ]);
    for (const { namespace, timestamp } of seen) {
      expect(namespace).toBe("default");
      expect(Number(timestamp?.seconds)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
    }
  }
});

test("a subscriber gets nothing from before it came", async () => {
  await guest.container("old", ["true"]);
  const stream = guest.client(Events).stream({});
  const first = stream.next();
  await guest.container("new", ["true"]);
  const { value } = await first;
  expect(unpackTaskEvent(value?.event)).toMatchObject({ containerId: "new" });
  await stream.return?.();
});

test("a container's events carry the namespace that it was created in", async () => {
  const metadata = { "containerd-namespace-ttrpc": "k8s.io" };
  await guest.container("spaced", ["true"]);
  const { bundle } = await tasks.state({ id: "spaced" });
  const stream = guest.client(Events).stream({});
  await tasks.create({ id: "named", bundle }, { metadata });
  await tasks.start({ id: "named" });
  for (const topic of ["/tasks/create", "/tasks/start", "/tasks/exit"]) {
    expect((await stream.next()).value).toMatchObject({ topic, namespace: "k8s.io" });
  }
  await stream.return?.();
});

test.each(["", "a b", "-x", "x".repeat(77)])("the namespace %j is refused", async (namespace) => {
  const metadata = { "containerd-namespace-ttrpc": namespace };
  const error = await errorOf(tasks.create({ id: "bad", bundle: "/x" }, { metadata }));
  expect(error.code).toBe(Code.InvalidArgument);
});

test("streams end normally when the guest ends, after the exits", async () => {
  const own = await testGuest();
  const stream = own.client(Events).stream({});
  await own.container("web", ["sleep", "1000"]);
  await own.client(Task).start({ id: "web" });
  const seen = (async () => {
    const topics: string[] = [];
    for await (const { topic } of stream) topics.push(topic);
    return topics;
  })();
  await own.guest.close();
  expect(await seen).toEqual(["/tasks/create", "/tasks/start", "/tasks/exit"]);
  expect(await own.client(Events).stream({}).next()).toMatchObject({ done: true });
  await own[Symbol.asyncDispose]();
});

test("a subscriber that lags too far fails instead of missing something", async () => {
  const bus = createEventBus(createClock());
  const slow = bus.subscribe();
  const event = create(TaskExitSchema, { containerId: "web" });
  for (let sent = 0; sent <= eventBacklog; sent++) bus.publish("default", event);
  for (let read = 0; read < eventBacklog; read++) expect((await slow.next()).done).toBe(false);
  expect((await errorOf(slow)).code).toBe(Code.ResourceExhausted);
  expect((await slow.next()).done).toBe(true);
});

test("a bus that is closed gives its subscribers what they have not read yet", async () => {
  const bus = createEventBus(createClock());
  const late = bus.subscribe();
  const gone = new AbortController();
  const left = bus.subscribe(gone.signal);
  gone.abort();
  bus.publish("default", create(TaskExitSchema, { containerId: "web" }));
  bus.close();
  expect((await left.next()).done).toBe(true);
  expect((await late.next()).value?.topic).toBe("/tasks/exit");
  expect((await late.next()).done).toBe(true);
});
