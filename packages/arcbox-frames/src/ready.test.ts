import { AgentService, createAgentServiceClient, type RuntimeEnsureResponse } from "@guestwire/agent";
import { type Channel, Code, RpcError } from "@guestwire/rpc";
import { FakeClock, tempFolder } from "@guestwire/testkit";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { failure, testAgent } from "./agent.test.support.js";
import { connect } from "./channel.js";
import { rawServer } from "./raw-peer.test.support.js";
import { arcboxReady, whenRuntimeReady } from "./ready.js";
import { serve } from "./server.js";

/** A clock on which every pause is over at once, and counts. */
function quickClock(): {
  now(): number;
  after(ms: number, task: () => void): { cancel(): void };
  readonly pauses: number[];
} {
  let now = 0;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => now,
    after(ms, task) {
      // The whole time is no pause.
      if (ms >= 30_000) return { cancel() {} };
      pauses.push(ms);
      const timer = setImmediate(() => {
        now += ms;
        task();
      });
      return { cancel: () => clearImmediate(timer) };
    },
  };
}

describe("arcboxReady", () => {
  test("asks every 100 ms until the agent is there, closes no more, and answers", async () => {
    await using folder = await tempFolder();
    const path = folder.file("agent.sock");
    await using channel: Channel = connect(`unix://${path}`);
    const clock = quickClock();
    let hanging: AsyncDisposable | undefined;
    await using server = serve().service(AgentService, { ping: () => ({ message: "pong", version: "0.4.1" }) });
    const failures: string[] = [];
    const answer = await arcboxReady(channel, {
      clock,
      onAttempt: ({ attempt, error }) => {
        failures.push(RpcError.from(error).rawMessage.replace(path, "PATH"));
        if (attempt === 2) void rawServer(path, (end) => end.destroy()).then((made) => (hanging = made));
        if (attempt > 2 && hanging !== undefined && failures.at(-1)?.includes("without an answer")) {
          const gone = hanging;
          hanging = undefined;
          void gone[Symbol.asyncDispose]().then(() => server.listen(`unix://${path}`));
        }
      },
    });
    expect(answer).toMatchObject({ message: "pong", version: "0.4.1" });
    expect(failures[0]).toContain("ENOENT");
    expect(failures).toContain("the agent closed the connection without an answer");
    expect(new Set(clock.pauses)).toEqual(new Set([100]));
  });

  test("gives up when the time is up, naming the last failure", async () => {
    await using folder = await tempFolder();
    await using channel = connect(`unix://${folder.file("none.sock")}`);
    const clock = new FakeClock();
    const error = failure(
      arcboxReady(channel, { clock, timeoutMs: 1000, onAttempt: () => void setImmediate(() => clock.advance(100)) }),
    );
    expect(await error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    expect((await error).rawMessage).toContain("ENOENT");
  });

  test("does not wait for what does not pass", async () => {
    await using folder = await tempFolder();
    await using _server = await rawServer(folder.file("a.sock"), (end) => end.frame(0x7777));
    await using channel = connect(`unix://${folder.file("a.sock")}`);
    expect(await failure(arcboxReady(channel))).toMatchObject({ code: Code.Internal });
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await failure(arcboxReady(channel, { signal }))).toMatchObject({ code: Code.Canceled });
  });
});

describe("whenRuntimeReady", () => {
  const answers = (...given: Partial<RuntimeEnsureResponse>[]) => {
    const asked: boolean[] = [];
    const handler = ({ startIfNeeded }: { readonly startIfNeeded: boolean }) => {
      asked.push(startIfNeeded);
      return given[Math.min(asked.length, given.length) - 1] as { ready: boolean };
    };
    return { asked, handler };
  };

  test("asks again while a current agent starts it", async () => {
    const { asked, handler } = answers(
      { status: "starting" },
      { status: "starting" },
      { ready: true, status: "reused", endpoint: "vsock:2375" },
    );
    await using agent = await testAgent({ agent: { ensureRuntime: handler } });
    const clock = quickClock();
    const answer = await whenRuntimeReady(createAgentServiceClient(agent.channel), { clock });
    expect(answer).toMatchObject({ endpoint: "vsock:2375", status: "reused" });
    expect(asked).toEqual([true, true, true]);
    expect(clock.pauses).toEqual([120, 180]);
  });

  test("asks an agent of 0.1.4 once, which answers late", async () => {
    const { asked, handler } = answers({ ready: true, status: "started" });
    await using agent = await testAgent({ agent: { ensureRuntime: handler } });
    expect(await whenRuntimeReady(createAgentServiceClient(agent.channel))).toMatchObject({ status: "started" });
    expect(asked).toHaveLength(1);
  });

  test("has its own time and not the channel's default for calls", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const ensureRuntime = () => {
      vi.advanceTimersByTime(29_000);
      return { ready: true, status: "started" };
    };
    await using agent = await testAgent({ agent: { ensureRuntime } }, { connect: { timeoutMs: 5_000 } });
    const answer = await whenRuntimeReady(createAgentServiceClient(agent.channel));
    expect(answer).toMatchObject({ status: "started" });
  });

  test("a failed start is an error with the agent's words; a probe that finds nothing is not", async () => {
    const { handler } = answers({ status: "failed", message: "no containerd" });
    await using agent = await testAgent({ agent: { ensureRuntime: handler } });
    const error = await failure(whenRuntimeReady(createAgentServiceClient(agent.channel)));
    expect(error).toMatchObject({ code: Code.FailedPrecondition });
    expect(error.rawMessage).toContain("the agent could not start it: no containerd");
    const later = answers({ status: "failed" }, { status: "failed" }, { ready: true, status: "reused" });
    await using other = await testAgent({ agent: { ensureRuntime: later.handler } });
    await whenRuntimeReady(createAgentServiceClient(other.channel), { startIfNeeded: false, clock: quickClock() });
    expect(later.asked).toEqual([false, false, false]);
  });

  test("ends with the time and with the signal", async () => {
    const { handler } = answers({ status: "starting" });
    await using agent = await testAgent({ agent: { ensureRuntime: handler } });
    const client = createAgentServiceClient(agent.channel);
    const late = await failure(whenRuntimeReady(client, { timeoutMs: 20_000, clock: quickClock() }));
    expect(late).toMatchObject({ code: Code.DeadlineExceeded });
    const signal = AbortSignal.abort();
    expect(await failure(whenRuntimeReady(client, { signal }))).toMatchObject({ code: Code.Canceled });
  });
});
