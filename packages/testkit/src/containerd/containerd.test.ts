// Our clients and a real containerd: its events over gRPC, events of ours over ttrpc, a container by way of its shim, and its
// death.

import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { Health, HealthCheckResponse_ServingStatus } from "@guestwire/health";
import { Code, createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { Status } from "@guestwire/types/containerd";
import { packTaskEvent, TaskExitSchema, unpackTaskEvent } from "@guestwire/types/events";
import { Events as ShimEvents } from "@guestwire/types/events-ttrpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Diff } from "../gen/containerd/services/diff/v1/diff_pb.js";
import { Events } from "../gen/containerd/services/events/v1/events_pb.js";
import { Tasks } from "../gen/containerd/services/tasks/v1/tasks_pb.js";
import { Version } from "../gen/containerd/services/version/v1/version_pb.js";
import { type Containerd, startContainerd } from "./daemon.js";
import { subscribe } from "./event-log.js";
import { rejection } from "./expected.js";
import { imageName } from "./image.js";
import { containerPrograms, isSince } from "./programs.js";
import { taskClient } from "./task-client.js";

const peers = await containerPrograms();

// Where they cannot run, containerPrograms has said why.
if (peers.length === 0) test("containerd cannot run here", (context) => context.skip());

describe.each(peers)("containerd $version", (programs) => {
  let daemon: Containerd;
  beforeAll(async () => {
    daemon = await startContainerd(programs);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  /** Runs a container in the background. */
  const runDetached = async (id: string): Promise<void> => {
    expect(await daemon.run(["-d", imageName, id, "sleep", "600"])).toMatchObject({ code: 0, stderr: "" });
  };

  test("tells its version, and that it is well", async () => {
    const { version } = await createClient(Version, daemon.grpc).version({});
    expect(version).toMatch(/^v?\d+\.\d+/);
    const { status } = await createClient(Health, daemon.grpc).check({});
    expect(status).toBe(HealthCheckResponse_ServingStatus.SERVING);
  });

  test("a container's life comes as events, in order and typed, over gRPC", async () => {
    await using log = await subscribe(daemon);
    expect((await daemon.run(["-d", imageName, "life", "sh", "-c", "exit 3"])).code).toBe(0);
    await log.event(({ topic }) => topic === "/tasks/exit");
    const tasks = log.events.filter(({ topic }) => topic.startsWith("/tasks/"));
    expect(tasks.map(({ topic }) => topic)).toEqual(["/tasks/create", "/tasks/start", "/tasks/exit"]);
    const [created, started, exited] = tasks.map(({ event }) => unpackTaskEvent(event));
    expect(created).toMatchObject({ $typeName: "containerd.events.TaskCreate", containerId: "life" });
    const { pid } = started as { pid: number };
    expect(pid).toBeGreaterThan(1);
    expect(exited).toMatchObject({ $typeName: "containerd.events.TaskExit", id: "life", pid, exitStatus: 3 });
    // Nobody can wait for /tasks/delete: the shim of 2.1 ends without having sent it, time and again.
    await daemon.ctr(["tasks", "delete", "life"]);
    await daemon.ctr(["containers", "delete", "life"]);
    await log.event(({ topic }) => topic === "/containers/delete");
    for (const { namespace } of log.events) expect(namespace).toBe(daemon.namespace);
  });

  test("an event that our client forwards over ttrpc reaches the subscribers as it was", async () => {
    await using log = await subscribe(daemon);
    const exit = create(TaskExitSchema, { containerId: "far", id: "far", pid: 7, exitStatus: 42 });
    const timestamp = timestampFromMs(1_700_000_000_123);
    const forward = createClient(ShimEvents, daemon.ttrpc).forward;
    const envelope = { timestamp, namespace: daemon.namespace, topic: "/tasks/exit", event: packTaskEvent(exit) };
    await forward({ envelope }, { timeoutMs: 5_000 });
    const event = await log.event(({ topic }) => topic === "/tasks/exit");
    expect(event.timestamp).toEqual(timestamp);
    expect(unpackTaskEvent(event.event)).toEqual(exit);

    const noTopic = rejection(forward({ envelope: { ...envelope, topic: "tasks" } }));
    expect(await noTopic).toMatchObject({ code: Code.InvalidArgument });
  });

  test("a filter that containerd cannot read ends the subscription with its error", async () => {
    const stream = createClient(Events, daemon.grpc).subscribe({ filters: ["="] });
    const error = await rejection(stream.next());
    expect(error).toMatchObject({ code: Code.Unknown, rawMessage: expect.stringContaining("filter") });
  });

  test("a deadline ends a wait over gRPC, and another one is answered", async () => {
    await runDetached("waits");
    const tasks = createClient(Tasks, daemon.grpc);
    const error = await rejection(tasks.wait({ containerId: "waits" }, { timeoutMs: 200 }));
    // containerd counts, too. Where its answer is the first one here, it has the words of the deadline without the code.
    expect([Code.DeadlineExceeded, Code.Unknown]).toContain(error.code);
    expect(error.rawMessage).toMatch(/deadline/i);
    const end = tasks.wait({ containerId: "waits" });
    await tasks.kill({ containerId: "waits", signal: 9 });
    expect((await end).exitStatus).toBe(137);
    expect(await rejection(tasks.wait({ containerId: "nobody" }))).toMatchObject({ code: Code.NotFound });
  });

  test("our client on the socket of a shim that containerd started sees its container", async () => {
    await runDetached("shared");
    await using channel = connect(await daemon.shimAddress("shared"), { timeoutMs: 5_000 });
    const task = taskClient(channel, programs);
    expect(await task.state({ id: "shared" })).toMatchObject({ status: Status.RUNNING });
    await using log = await subscribe(daemon);
    await task.kill({ id: "shared", signal: 9, all: true });
    expect((await task.wait({ id: "shared" })).exitStatus).toBe(137);
    const { event } = await log.event(({ topic }) => topic === "/tasks/exit");
    expect(unpackTaskEvent(event)).toMatchObject({ containerId: "shared", exitStatus: 137 });
  });

  const deaths: [string, (daemon: Containerd) => Promise<unknown>][] = [
    ["is killed", (one) => one.kill()],
    // None looks whether there is a descriptor.
    ["dies of an empty Diff/Apply", (one) => rejection(createClient(Diff, one.grpc).apply({}))],
  ];

  // 1.6 does not look here either, and this door is open to all shims.
  if (!isSince(programs, 1, 7)) {
    const die = ({ ttrpc, namespace }: Containerd): Promise<unknown> => {
      const envelope = { timestamp: timestampNow(), namespace, topic: "/guestwire/empty" };
      return rejection(createClient(ShimEvents, ttrpc).forward({ envelope }));
    };
    deaths.push(["dies of an event forwarded without content", die]);
  }

  test.each(deaths)("when containerd %s calls end with Unavailable, and go on once it is back", async (how, die) => {
    const id = `outlives-${how.length}`;
    await runDetached(id);
    const log = await subscribe(daemon);
    const tasks = createClient(Tasks, daemon.grpc);
    const end = rejection(tasks.wait({ containerId: id }));
    const forward = (): Promise<unknown> =>
      createClient(ShimEvents, daemon.ttrpc).forward({
        envelope: { timestamp: timestampNow(), namespace: daemon.namespace, topic: "/guestwire/again", event: {} },
      });
    await forward();
    await die(daemon);
    expect(await log.ended).toMatchObject({ code: Code.Unavailable });
    expect(await end).toMatchObject({ code: Code.Unavailable });
    await daemon.ended;
    expect(await rejection(forward())).toMatchObject({ code: Code.Unavailable });

    await daemon.restart();
    await using again = await subscribe(daemon);
    await forward();
    await again.event(({ topic }) => topic === "/guestwire/again");
    // The container did not notice.
    const survivor = tasks.wait({ containerId: id });
    await tasks.kill({ containerId: id, signal: 9 });
    expect((await survivor).exitStatus).toBe(137);
  });
});
