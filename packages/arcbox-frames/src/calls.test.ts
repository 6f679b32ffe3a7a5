// Calls of every shape, over a real socket, between our two ends.
import { AgentService } from "@guestwire/agent";
import { Code, createClient, type Interceptor, RpcError } from "@guestwire/rpc";
import { SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import { describe, expect, test } from "vitest";
import { failure, testAgent, until } from "./agent.test.support.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);

describe("one answer", () => {
  test("a request and its answer; several in turn share a connection", async () => {
    await using agent = await testAgent({});
    const client = createClient(AgentService, agent.channel);
    for (const message of ["a", "b", "c"]) {
      expect((await client.ping({ message })).message).toBe(`pong: ${message}`);
    }
    expect(agent.server.connections).toBe(1);
  });

  test("an empty answer is one", async () => {
    await using agent = await testAgent({ sandbox: { stop: () => ({}) }, snapshots: { deleteSnapshot: () => ({}) } });
    expect(await createClient(SandboxService, agent.channel).stop({ id: "s" })).toMatchObject({
      $typeName: "sandbox.v1.Empty",
    });
    const snapshots = createClient(SandboxSnapshotService, agent.channel);
    expect(await snapshots.deleteSnapshot({ snapshotId: "s" })).toMatchObject({ $typeName: "sandbox.v1.Empty" });
  });

  test("an error of the handler comes with code and text, and the connection goes on", async () => {
    await using agent = await testAgent({
      sandbox: {
        inspect: ({ id }) => {
          throw id === "plain" ? new Error("broken") : new RpcError(Code.NotFound, `no sandbox ${id}`);
        },
      },
    });
    const client = createClient(SandboxService, agent.channel);
    expect(await failure(client.inspect({ id: "x" }))).toMatchObject({
      code: Code.NotFound,
      rawMessage: "no sandbox x",
      method: "/sandbox.v1.SandboxService/Inspect",
      peer: agent.address,
      reason: undefined,
    });
    expect(await failure(client.inspect({ id: "plain" }))).toMatchObject({ code: Code.Internal, rawMessage: "broken" });
    expect(agent.server.connections).toBe(1);
  });

  test("a method without a handler is Unimplemented", async () => {
    await using agent = await testAgent({});
    const client = createClient(AgentService, agent.channel);
    expect(await failure(client.shutdown({}))).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "method Shutdown",
    });
  });

  test("a large answer comes whole; one over the limit is the server's error, and the connection goes on", async () => {
    await using agent = await testAgent({
      agent: { getKubeconfig: () => ({ kubeconfig: "k".repeat(3_000_000) }) },
      snapshots: { checkpoint: () => ({ snapshotId: "s".repeat(17 << 20) }) },
    });
    const { kubeconfig } = await createClient(AgentService, agent.channel).getKubeconfig({});
    expect(kubeconfig.length).toBe(3_000_000);
    const error = await failure(createClient(SandboxSnapshotService, agent.channel).checkpoint({}));
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(error.rawMessage).toContain("over the limit of 16777216");
    expect(agent.server.connections).toBe(1);
  });

  test("a request over the limit, or that is none, is not sent", async () => {
    await using agent = await testAgent({}, { connect: { limits: { frameBytes: 100 } } });
    const client = createClient(AgentService, agent.channel);
    expect(await failure(client.ping({ message: "m".repeat(93) }))).toMatchObject({
      code: Code.ResourceExhausted,
      reason: "oversize",
    });
    // 6 bytes of the frame, 2 of the field: 92 are the most.
    expect((await client.ping({ message: "m".repeat(70) })).message).toHaveLength(76);
    expect(await failure(client.ping(null as never))).toMatchObject({ code: Code.InvalidArgument });
    expect(await failure(client.ping({ message: 5 as never }))).toMatchObject({ code: Code.InvalidArgument });
  });

  test("interceptors, authorize and the context see the call on both ends", async () => {
    const seen: string[] = [];
    const note =
      (who: string): Interceptor =>
      (next) =>
      async (call) => {
        seen.push(`${who} ${call.path}`);
        return next(call);
      };
    await using agent = await testAgent(
      {
        agent: {
          ping: (_, context) => {
            const { protocol, peer, deadline, path } = context;
            seen.push(`${protocol} ${peer.kind} ${deadline} ${path} ${context.metadata.get("x-trace-id")}`);
            return {};
          },
        },
      },
      {
        connect: { interceptors: [note("client")], metadata: { "x-trace-id": "trace-7", dropped: "yes" } },
        serve: {
          interceptors: [note("server")],
          authorize: (_, { path }) => path !== "/arcbox.v1.AgentService/Shutdown",
        },
      },
    );
    const client = createClient(AgentService, agent.channel);
    await client.ping({});
    expect(seen).toEqual([
      "client /arcbox.v1.AgentService/Ping",
      "server /arcbox.v1.AgentService/Ping",
      "arcbox-frames unix undefined /arcbox.v1.AgentService/Ping trace-7",
    ]);
    expect(await failure(client.shutdown({}))).toMatchObject({ code: Code.PermissionDenied });
  });
});

describe("run", () => {
  test("gives outputs until the last, then the stream ends", async () => {
    await using agent = await testAgent({
      sandbox: {
        async *run() {
          yield { stream: "stdout", data: bytes("hello") };
          yield { stream: "exit", done: true, exitCode: 3 };
          yield { stream: "stdout", data: bytes("after the end") };
        },
      },
    });
    const seen: string[] = [];
    for await (const { stream, data, done, exitCode } of createClient(SandboxService, agent.channel).run({ id: "s" })) {
      seen.push(`${stream} ${text(data)} ${done} ${exitCode}`);
    }
    expect(seen).toEqual(["stdout hello false 0", "exit  true 3"]);
  });

  test("a handler that says no end has ended with exit code 0", async () => {
    await using agent = await testAgent({ sandbox: { run: () => [{ stream: "stdout", data: bytes("x") }] } });
    const outputs = await Array.fromAsync(createClient(SandboxService, agent.channel).run({}));
    expect(outputs.map(({ stream, done, exitCode }) => ({ stream, done, exitCode }))).toEqual([
      { stream: "stdout", done: false, exitCode: 0 },
      { stream: "exit", done: true, exitCode: 0 },
    ]);
  });

  test("an error before the first output is an error, after it the last output with exit code 1", async () => {
    await using agent = await testAgent({
      sandbox: {
        async *run({ id }) {
          if (id === "late") yield { stream: "stdout", data: bytes("x") };
          throw new RpcError(Code.FailedPrecondition, "not ready");
        },
      },
    });
    const client = createClient(SandboxService, agent.channel);
    expect(await failure(Array.fromAsync(client.run({ id: "early" })))).toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: "not ready",
    });
    const outputs = await Array.fromAsync(client.run({ id: "late" }));
    expect(outputs.at(-1)).toMatchObject({ stream: "exit", done: true, exitCode: 1, data: bytes("not ready") });
  });

  test("the server waits for a reader that does not read", async () => {
    let made = 0;
    await using agent = await testAgent({
      sandbox: {
        async *run() {
          for (;;) {
            made++;
            yield { stream: "stdout", data: new Uint8Array(100_000) };
          }
        },
      },
    });
    const outputs = createClient(SandboxService, agent.channel).run({});
    await outputs.next();
    let before = -1;
    // Until it stands still: socket buffers and the client's bound are filled then.
    while (before !== made) {
      before = made;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(made).toBeLessThan(100);
    await outputs.return();
    await until(() => agent.server.connections === 0);
  });
});

describe("events", () => {
  test("come until the caller leaves, and the handler hears of that", async () => {
    const gone = Promise.withResolvers<unknown>();
    await using agent = await testAgent({
      sandbox: {
        async *events(_, { signal }) {
          yield { sandboxId: "s", action: "ready" };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          gone.resolve(signal.reason);
        },
      },
    });
    for await (const { action } of createClient(SandboxService, agent.channel).events({})) {
      expect(action).toBe("ready");
      break;
    }
    expect(await gone.promise).toMatchObject({ code: Code.Canceled });
    await until(() => agent.server.connections === 0 && agent.server.runningCalls === 0);
  });

  test("an agent that ends them is gone as far as the caller knows", async () => {
    await using agent = await testAgent({ sandbox: { events: () => [{ action: "idle" }] } });
    const events = createClient(SandboxService, agent.channel).events({});
    expect((await events.next()).value?.action).toBe("idle");
    expect(await failure(events.next())).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect(await events.next()).toMatchObject({ done: true });
  });

  test("an error between two of them is an error", async () => {
    await using agent = await testAgent({
      sandbox: {
        async *events() {
          yield { action: "idle" };
          throw new RpcError(Code.Unavailable, "the sandbox service stops");
        },
      },
    });
    const error = await failure(Array.fromAsync(createClient(SandboxService, agent.channel).events({})));
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "the sandbox service stops" });
  });

  test("any number of watchers keep no call from its turn", async () => {
    await using agent = await testAgent(
      {
        sandbox: {
          async *events(_, { signal }) {
            yield { action: "begun" };
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          },
        },
      },
      { connect: { limits: { callConnections: 1 } } },
    );
    const watchers = Array.from({ length: 20 }, () => createClient(SandboxService, agent.channel).events({}));
    for (const watcher of watchers) await watcher.next();
    expect((await createClient(AgentService, agent.channel).ping({ message: "x" })).message).toBe("pong: x");
    expect(agent.server.connections).toBe(21);
    for (const watcher of watchers) await watcher.return();
  });
});
