// Both ends against programs in Rust on the messages that ArcBox's own programs are made with (crate arcbox-protocol): our
// client with an agent, and a host's client with our server. So the bytes of the messages, too, are those of the real ones.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentService } from "@guestwire/agent";
import { Code, createClient } from "@guestwire/rpc";
import { type ExecInputSchema, SandboxService } from "@guestwire/sandbox";
import { runClient, rustArcbox, startServer, tempFolder } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { arcboxReady, whenRuntimeReady } from "./ready.js";
import { serve } from "./server.js";

// Where there is no cargo, this is left out; rustArcbox says so.
const program = await rustArcbox();

if (program !== undefined) {
  describe("our client with an agent in Rust", () => {
    const open = async () => {
      const folder = await tempFolder();
      const path = folder.file("agent.sock");
      const agent = await startServer(program, ["serve", path]);
      const channel = connect(`unix://${path}`, { traceId: () => "trace-1", timeoutMs: 30_000 });
      return {
        channel,
        agent: createClient(AgentService, channel),
        sandbox: createClient(SandboxService, channel),
        async [Symbol.asyncDispose]() {
          await channel.close();
          await agent[Symbol.asyncDispose]();
          await folder[Symbol.asyncDispose]();
        },
      };
    };

    test("calls with one answer, also at once", async () => {
      await using rust = await open();
      expect(await arcboxReady(rust.channel)).toMatchObject({ message: "pong", version: "0.1.4" });
      const pings = Array.from({ length: 50 }, (_, i) => rust.agent.ping({ message: `${i}`, timestampSecs: 1n }));
      expect((await Promise.all(pings)).map(({ message }) => message)).toEqual(
        Array.from({ length: 50 }, (_, i) => `pong: ${i}`),
      );
      expect(await rust.agent.getSystemInfo({})).toMatchObject({
        hostname: "guest",
        totalMemory: 1n << 40n,
        loadAverage: [0.5, 0.25, 0.125],
        ipAddresses: ["192.0.2.1"],
      });
      expect(await whenRuntimeReady(rust.agent)).toMatchObject({
        ready: true,
        endpoint: "vsock:2375",
        status: "started",
      });
      expect((await rust.agent.getRuntimeStatus({})).services).toMatchObject([{ name: "dockerd", status: "ready" }]);
      expect(await rust.sandbox.list({ state: "ready", labels: { a: "b" } })).toMatchObject({
        sandboxes: [{ id: "s1", state: "ready", labels: { a: "b" }, createdAt: 1_700_000_000n }],
      });
    });

    test("errors, and a request that the agent is too old for", async () => {
      await using rust = await open();
      await expect(rust.agent.getKubeconfig({})).rejects.toMatchObject({
        code: Code.NotFound,
        rawMessage: "no kubeconfig",
      });
      await expect(rust.sandbox.run({ id: "x" }).next()).rejects.toMatchObject({ code: Code.Internal });
      await expect(rust.agent.shutdown({})).rejects.toMatchObject({
        code: Code.Unimplemented,
        rawMessage: expect.stringContaining("agent 0.1.4 does not know this request"),
      });
    });

    test("run, exec with input, and events", async () => {
      await using rust = await open();
      const outputs = await Array.fromAsync(rust.sandbox.run({ id: "s1", cmd: ["true"] }));
      expect(outputs.map(({ stream, data, exitCode, done }) => [stream, data.length, exitCode, done])).toEqual([
        ["stdout", 200_000, 0, false],
        ["exit", 0, 7, true],
      ]);
      const input = new Uint8Array(300_000).fill(97);
      const requests: MessageInitShape<typeof ExecInputSchema>[] = [
        { payload: { case: "init", value: { id: "s1", cmd: ["a", "b", "c"] } } },
        { payload: { case: "stdin", value: input } },
      ];
      let received = 0;
      let exit = -1;
      for await (const { stream, data, exitCode } of rust.sandbox.exec(requests)) {
        if (stream === "stdout") received += data.length;
        else exit = exitCode;
      }
      expect([received, exit]).toEqual([300_000, 3]);
      const actions: string[] = [];
      for await (const { action, timestamp, attributes } of rust.sandbox.events({})) {
        expect([timestamp, attributes]).toEqual([1_700_000_000_000_000_001n, { why: action }]);
        actions.push(action);
        if (action === "ready") break;
      }
      expect(actions).toEqual(["starting", "ready"]);
    });
  });

  test("a host's client in Rust with our server", async () => {
    await using folder = await tempFolder();
    const path = folder.file("agent.sock");
    await using server = serve()
      .service(AgentService, {
        ping: ({ message, timestampSecs }) => ({ message: `pong: ${message} ${timestampSecs}`, version: "9.9.9" }),
        getSystemInfo: () => ({ hostname: "ours", totalMemory: 1n << 40n, loadAverage: [0.5] }),
      })
      .service(SandboxService, {
        async *run({ cmd }) {
          yield { stream: "stdout", data: new Uint8Array(100_000) };
          yield { stream: "exit", exitCode: cmd.length, done: true };
        },
        async *exec(requests) {
          for await (const { payload } of requests) {
            if (payload.case === "stdin") yield { stream: "stdout", data: payload.value };
          }
          yield { stream: "exit", exitCode: 4, done: true };
        },
        async *events(_, { signal }) {
          yield { action: "ready", timestamp: 5n, attributes: { a: "b" } };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      });
    await server.listen(`unix://${path}`);
    const lines = (await runClient(program, ["drive", path])).trim().split("\n");
    expect(lines).toEqual([
      "1001 t1 pong: rust 1700000000 9.9.9",
      "1002 t2 ours 1099511627776 [0.5]",
      expect.stringMatching(/^ffff t3 400 cannot decode arcbox\.v1\.AgentPingRequest/),
      "ffff t3 400 0x1001: it is no request",
      "ffff t3 501 method GetKubeconfig",
      "1035 t4 stdout 100000 0 false",
      "1035 t4 exit 0 1 true",
      '1036 t5 stdout "ls\\n" 0 false',
      '1036 t5 exit "" 4 true',
      "closed after exec",
      '1037 t6 ready 5 {"a": "b"}',
      "closed at an unknown number",
    ]);
  });
}
