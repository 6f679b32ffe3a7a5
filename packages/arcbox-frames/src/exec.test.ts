// Exec, in which both sides stream, over a real socket, between our two ends.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient, createPushStream, RpcError, releaseBytes } from "@guestwire/rpc";
import { takeMemory } from "@guestwire/rpc/transport";
import { type ExecInput, type ExecInputSchema, SandboxService } from "@guestwire/sandbox";
import { describe, expect, test } from "vitest";
import { failure, testAgent, until } from "./agent.test.support.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);

describe("exec", () => {
  const cat = async function* (requests: AsyncIterable<ExecInput>) {
    let begun = false;
    for await (const { payload } of requests) {
      if (payload.case === "init") {
        begun = true;
        yield { stream: "stderr", data: bytes(`${payload.value.id}: ${payload.value.cmd.join(" ")}`) };
      } else yield { stream: "stdout", data: payload.case === "stdin" ? payload.value : bytes("resized") };
    }
    yield { stream: "exit", done: true, exitCode: begun ? 7 : 1 };
  };
  type Input = MessageInitShape<typeof ExecInputSchema>;
  const init: Input = { payload: { case: "init", value: { id: "s", cmd: ["cat"] } } };
  const stdin = (content: string | Uint8Array): Input => {
    const value = typeof content === "string" ? bytes(content) : content;
    return { payload: { case: "stdin", value: value as Uint8Array<ArrayBuffer> } };
  };

  test("sends standard input and its end, and gives the outputs", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const resize: Input = { payload: { case: "resize", value: { width: 80, height: 25 } } };
    const requests = [init, stdin("ls\n"), resize, stdin(""), stdin("exit\n")];
    const outputs = await Array.fromAsync(createClient(SandboxService, agent.channel).exec(requests));
    expect(outputs.map(({ stream, data, exitCode }) => [stream, text(data), exitCode])).toEqual([
      ["stderr", "s: cat", 0],
      ["stdout", "ls\n", 0],
      ["stdout", "exit\n", 0],
      ["exit", "", 7],
    ]);
    await until(() => agent.server.connections === 0);
  });

  test("whose input is no bytes fails, and lets the caller's stream clean up", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const left = Promise.withResolvers<string>();
    async function* requests() {
      try {
        yield init;
        yield { payload: { case: "stdin" as const, value: "text" as never } };
        yield stdin("never asked for");
      } finally {
        left.resolve("left");
      }
    }
    const error = await failure(Array.fromAsync(createClient(SandboxService, agent.channel).exec(requests())));
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    expect(error.rawMessage).toContain("stdin must be bytes, not string");
    expect(await left.promise).toBe("left");
  });

  test("is a conversation: an output before the next input", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const input = createPushStream<Input>();
    const outputs = createClient(SandboxService, agent.channel).exec(input);
    void input.push(init);
    await outputs.next();
    for (const line of ["a", "b", "c"]) {
      void input.push(stdin(line));
      expect(text((await outputs.next()).value?.data ?? new Uint8Array())).toBe(line);
    }
    input.end();
    expect((await outputs.next()).value?.exitCode).toBe(7);
    expect(await outputs.next()).toMatchObject({ done: true });
  });

  test("10 MB go through and come back", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const piece = new Uint8Array(1_000_000).fill(120);
    let received = 0;
    const requests = [init, ...Array.from({ length: 10 }, () => stdin(piece))];
    for await (const { stream, data } of createClient(SandboxService, agent.channel).exec(requests)) {
      if (stream === "stdout") received += data.length;
    }
    expect(received).toBe(10_000_000);
  });

  test("input that came over another wire keeps its memory while it waits in the socket", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const received = takeMemory(100_000).fill(1);
    const requests = async function* () {
      yield init;
      yield stdin(received);
      releaseBytes(received);
      takeMemory(100_000).fill(2);
    };
    const outputs = await Array.fromAsync(createClient(SandboxService, agent.channel).exec(requests()));
    const back = Buffer.concat(outputs.filter(({ stream }) => stream === "stdout").map(({ data }) => data));
    expect([back.length, back.every((byte) => byte === 1), received.length]).toEqual([100_000, true, 100_000]);
  });

  test("a command that ends before its input does gives its last output, and the caller's stream may clean up", async () => {
    await using agent = await testAgent({
      sandbox: {
        async *exec() {
          yield { stream: "exit", done: true, exitCode: 2 };
        },
      },
    });
    let cleaned = false;
    const endless = async function* () {
      try {
        yield init;
        for (;;) yield stdin(new Uint8Array(100_000));
      } finally {
        cleaned = true;
      }
    };
    const outputs = await Array.fromAsync(createClient(SandboxService, agent.channel).exec(endless()));
    expect(outputs.map(({ exitCode }) => exitCode)).toEqual([2]);
    await until(() => cleaned && agent.server.connections === 0);
  });

  test.each([
    ["no message at all", []],
    ["input first", [stdin("x")]],
    ["an empty message first", [{}]],
  ])("refuses %s without dialing", async (_, requests) => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const outputs = createClient(SandboxService, agent.channel).exec(requests as never);
    expect(await failure(outputs.next())).toMatchObject({ code: Code.InvalidArgument });
    expect(agent.server.connections).toBe(0);
  });

  test.each([
    ["a second init", [init, init], Code.InvalidArgument],
    ["input that is no bytes", [init, { payload: { case: "stdin", value: "text" } }], Code.InvalidArgument],
    ["an empty message", [init, {}], Code.InvalidArgument],
  ])("%s ends the call", async (_, requests, code) => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const outputs = createClient(SandboxService, agent.channel).exec(requests as never);
    expect(await failure(Array.fromAsync(outputs))).toMatchObject({ code });
    await until(() => agent.server.connections === 0 && agent.server.runningCalls === 0);
  });

  test("a stream of requests that fails ends the call with that error", async () => {
    await using agent = await testAgent({ sandbox: { exec: cat } });
    const requests = async function* () {
      yield init;
      throw new RpcError(Code.DataLoss, "the file is broken");
    };
    const error = await failure(Array.fromAsync(createClient(SandboxService, agent.channel).exec(requests())));
    expect(error).toMatchObject({ code: Code.DataLoss });
  });

  test("leaving the outputs ends the handler's reading", async () => {
    const ended = Promise.withResolvers<unknown>();
    await using agent = await testAgent({
      sandbox: {
        async *exec(requests) {
          yield { stream: "stdout" };
          try {
            for await (const _ of requests);
            ended.resolve("an end");
          } catch (error) {
            ended.resolve(error);
          }
        },
      },
    });
    const input = createPushStream<Input>();
    const outputs = createClient(SandboxService, agent.channel).exec(input);
    void input.push(init);
    await outputs.next();
    await outputs.return();
    expect(await ended.promise).toMatchObject({ code: Code.Canceled });
  });
});
