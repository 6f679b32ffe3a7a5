// Our client against agents that break the rules, go away, or are old. The agent's end is raw bytes.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentService } from "@guestwire/agent";
import { type Channel, Code, createClient } from "@guestwire/rpc";
import { type ExecInputSchema, SandboxService } from "@guestwire/sandbox";
import { describe, expect, test } from "vitest";
import { failure, until } from "./agent.test.support.js";
import { type ConnectOptions, connect } from "./channel.js";
import { encodeFrameError } from "./error-frame.js";
import { frameBytes, type RawEnd, rawAgents } from "./raw-peer.test.support.js";

const pong = Buffer.from("0a04706f6e67", "hex");

function opened(options: ConnectOptions = {}): { channel: Channel; agents: ReturnType<typeof rawAgents> } {
  const agents = rawAgents();
  return { channel: connect(agents.dial, options), agents };
}

/** A ping under way, with the agent's end after it has read the request. */
async function asked({
  channel,
  agents,
}: ReturnType<typeof opened>): Promise<{ agent: RawEnd; answer: Promise<unknown> }> {
  const answer = createClient(AgentService, channel).ping({ message: "ping" });
  answer.catch(() => {});
  const agent = await agents.next();
  await agent.next();
  return { agent, answer };
}

describe("answers", () => {
  test("come in pieces of any size", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    for (const byte of frameBytes(0x1001, pong)) agent.send(Buffer.from([byte]));
    expect(await answer).toMatchObject({ message: "pong" });
    await open.channel.close();
  });

  test.each([
    [
      "the number of another answer",
      frameBytes(0x1002, pong),
      Code.Internal,
      "answered with 0x1002 where 0x1001 is due",
    ],
    ["a request", frameBytes(0x0001, pong), Code.Internal, "answered with 0x0001"],
    ["a number that stands for nothing", frameBytes(0x7777), Code.Internal, "0x7777, which stands for nothing"],
    ["a trace that was not asked for", frameBytes(0x1001, pong, "other"), Code.Internal, "another trace id"],
    ["what cannot be decoded", frameBytes(0x1001, Buffer.from("0aff", "hex")), Code.Internal, "cannot be decoded"],
    ["a frame that is too short", Buffer.from("0000000500000000", "hex"), Code.Internal, "a frame of 5 bytes came"],
    ["an error that cannot be read", frameBytes(0xffff, "no"), Code.Unknown, "an error of 2 bytes"],
  ])("%s is a protocol error of that call alone", async (_, bytes, code, text) => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.send(bytes);
    const error = await failure(answer);
    expect(error).toMatchObject({ code, reason: "protocol", method: "/arcbox.v1.AgentService/Ping", peer: "duplex:" });
    expect(error.rawMessage).toContain(text);
    if (code === Code.Internal) {
      await agent.closed;
      const again = await asked(open);
      again.agent.frame(0x1001, pong);
      expect(await again.answer).toMatchObject({ message: "pong" });
    }
    await open.channel.close();
  });

  test("an oversize frame is refused by its length", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.send(Buffer.from("01000001", "hex"));
    expect(await failure(answer)).toMatchObject({ code: Code.ResourceExhausted, reason: "oversize" });
    await agent.closed;
    await open.channel.close();
  });

  test("must repeat the trace; an error may come without", async () => {
    const open = opened({ traceId: () => "t1" });
    const first = await asked(open);
    first.agent.frame(0x1001, pong, "t1");
    await first.answer;
    const client = createClient(AgentService, open.channel);
    const refused = failure(client.ping({}));
    expect(await first.agent.next()).toMatchObject({ trace: "t1" });
    first.agent.frame(0xffff, encodeFrameError(404, "none"));
    expect(await refused).toMatchObject({ code: Code.NotFound, rawMessage: "none" });
    const lost = failure(client.ping({}));
    await first.agent.next();
    first.agent.frame(0x1001, pong);
    expect(await lost).toMatchObject({ code: Code.Internal, reason: "protocol" });
    await open.channel.close();
  });

  test("a second answer makes the connection useless, not the call", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.send(frameBytes(0x1001, pong), frameBytes(0x1001, pong));
    expect(await answer).toMatchObject({ message: "pong" });
    await agent.closed;
    expect((await asked(open)).agent).not.toBe(agent);
    await open.channel.close();
  });

  test("what comes unasked closes a connection that no call uses", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.frame(0x1001, pong);
    await answer;
    agent.frame(0x1030);
    await agent.closed;
    await open.channel.close();
  });
});

describe("an agent that closes", () => {
  test("without an answer to what every agent knows is unavailable", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.destroy();
    expect(await failure(answer)).toMatchObject({
      code: Code.Unavailable,
      reason: "connection_closed",
      rawMessage: "the agent closed the connection without an answer",
    });
    await open.channel.close();
  });

  test("in the middle of a frame is unavailable, and says so", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.send(frameBytes(0x1001, pong).subarray(0, 12));
    agent.end();
    const error = await failure(answer);
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect(error.rawMessage).toBe("the connection ended in the middle of a frame");
    await open.channel.close();
  });

  test("between two calls is not noticed by them", async () => {
    const open = opened();
    const { agent, answer } = await asked(open);
    agent.frame(0x1001, pong);
    await answer;
    agent.end();
    await agent.closed;
    const again = await asked(open);
    again.agent.frame(0x1001, pong);
    expect(await again.answer).toMatchObject({ message: "pong" });
    expect(open.agents.dialed).toBe(2);
    await open.channel.close();
  });

  test.each([
    ["0.1.4", Code.Unimplemented, "agent 0.1.4 does not know this request, which came after 0.1.4"],
    ["0.4.1", Code.Unavailable, "works again by now"],
    ["1.0.0", Code.Unavailable, "works again by now"],
  ])("at a later number: version %s tells why", async (version, code, text) => {
    const { channel, agents } = opened();
    const error = failure(createClient(AgentService, channel).shutdown({}));
    const agent = await agents.next();
    expect(await agent.next()).toEqual({ type: 0x000a, trace: "", payload: "" });
    agent.destroy();
    const asked = await agents.next();
    // A ping that sets no clock.
    expect(await asked.next()).toEqual({ type: 0x0001, trace: "", payload: "" });
    asked.frame(0x1001, Buffer.concat([Buffer.from([0x12, version.length]), Buffer.from(version)]));
    expect(await error).toMatchObject({ code });
    expect((await error).rawMessage).toContain(text);
    await channel.close();
  });

  test("at a later number and does not answer a ping may be gone or old", async () => {
    const { channel, agents } = opened();
    const error = failure(createClient(AgentService, channel).shutdown({}));
    for (let i = 0; i < 2; i++) {
      const agent = await agents.next();
      await agent.next();
      agent.destroy();
    }
    expect(await error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect((await error).rawMessage).toContain("it is gone, or it is an agent of 0.1.4 or older");
    await channel.close();
  });

  test("in a stream before the last output is unavailable", async () => {
    const { channel, agents } = opened();
    const outputs = createClient(SandboxService, channel).run({ id: "s" });
    const agent = await agents.next();
    await agent.next();
    agent.frame(0x1035, Buffer.from("0a067374646f7574", "hex"));
    expect((await outputs.next()).value?.stream).toBe("stdout");
    agent.end();
    expect(await failure(outputs.next())).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    await channel.close();
  });
});

describe("streams", () => {
  test("frames of another stream, or behind the last output", async () => {
    const { channel, agents } = opened();
    const client = createClient(SandboxService, channel);
    const wrong = client.run({ id: "s" });
    const first = await agents.next();
    await first.next();
    first.frame(0x1036);
    expect(await failure(wrong.next())).toMatchObject({ code: Code.Internal, reason: "protocol" });
    await first.closed;
    const right = client.run({ id: "s" });
    const second = await agents.next();
    await second.next();
    second.send(frameBytes(0x1035, Buffer.from("2001", "hex")), frameBytes(0x1035), frameBytes(0x7777));
    expect(await Array.fromAsync(right)).toMatchObject([{ done: true }]);
    await second.closed;
    await channel.close();
  });

  test("exec: the request is init's own message, input is raw, the end is empty, all with the trace", async () => {
    const { channel, agents } = opened();
    const requests: MessageInitShape<typeof ExecInputSchema>[] = [
      { payload: { case: "init", value: { id: "s" } } },
      { payload: { case: "stdin", value: new TextEncoder().encode("ls\n") } },
    ];
    const outputs = createClient(SandboxService, channel).exec(requests, { metadata: { "x-trace-id": "t9" } });
    const agent = await agents.next();
    expect(await agent.next()).toEqual({ type: 0x31, trace: "t9", payload: "0a0173" });
    expect(await agent.next()).toEqual({ type: 0x33, trace: "t9", payload: "6c730a" });
    expect(await agent.next()).toEqual({ type: 0x33, trace: "t9", payload: "" });
    agent.frame(0x1036, Buffer.from("0a04657869741803 2001".replace(" ", ""), "hex"), "t9");
    expect(await Array.fromAsync(outputs)).toMatchObject([{ stream: "exit", exitCode: 3, done: true }]);
    await agent.closed;
    await channel.close();
  });

  test("exec on 0.1.4 is Unimplemented", async () => {
    const { channel, agents } = opened();
    const outputs = createClient(SandboxService, channel).exec([{ payload: { case: "init", value: {} } }]);
    const agent = await agents.next();
    await agent.next();
    agent.frame(0xffff, encodeFrameError(501, "exec is not there"));
    expect(await failure(outputs.next())).toMatchObject({ code: Code.Unimplemented, rawMessage: "exec is not there" });
    await agent.closed;
    await channel.close();
  });
});

describe("silence", () => {
  test("ends with the deadline, and the connection with it", async () => {
    const open = opened();
    const answer = failure(createClient(AgentService, open.channel).ping({}, { timeoutMs: 20 }));
    const agent = await open.agents.next();
    expect(await answer).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    await agent.closed;
    await open.channel.close();
  });

  test("in the middle of a frame ends with the frame's time", async () => {
    const open = opened({ limits: { frameMs: 20 } });
    const { agent, answer } = await asked(open);
    agent.send(frameBytes(0x1001, pong).subarray(0, 12));
    const error = await failure(answer);
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "protocol" });
    expect(error.rawMessage).toBe("a frame was not complete after 20 ms");
    await agent.closed;
    await open.channel.close();
  });

  test("a signal ends the call at once, in whatever state", async () => {
    const open = opened();
    const control = new AbortController();
    const answer = failure(createClient(AgentService, open.channel).ping({}, { signal: control.signal }));
    const agent = await open.agents.next();
    await agent.next();
    control.abort(new Error("enough"));
    expect(await answer).toMatchObject({ code: Code.Canceled, rawMessage: "the call was canceled: enough" });
    await agent.closed;
    const early = failure(createClient(AgentService, open.channel).ping({}, { signal: control.signal }));
    expect(await early).toMatchObject({ code: Code.Canceled });
    expect(open.agents.dialed).toBe(1);
    await open.channel.close();
  });

  test("closing the channel ends calls and streams", async () => {
    const { channel, agents } = opened();
    const call = failure(createClient(AgentService, channel).ping({}));
    const stream = failure(createClient(SandboxService, channel).events({}).next());
    const ends = [await agents.next(), await agents.next()];
    await channel.close();
    expect(await call).toMatchObject({ code: Code.Canceled });
    expect(await stream).toMatchObject({ code: Code.Canceled });
    await Promise.all(ends.map(({ closed }) => closed));
    expect(await failure(createClient(AgentService, channel).ping({}))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the channel is closed",
    });
    await until(() => ends.every(({ stream }) => stream.destroyed));
  });
});
