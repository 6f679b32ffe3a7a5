// Bytes that nobody thought of, on both ends: every call ends with an error of the right kind, and the others go on.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { AgentService } from "@guestwire/agent";
import { Code, type ConnectionEvent, createClient } from "@guestwire/rpc";
import { SandboxService } from "@guestwire/sandbox";
import { propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { failure, testAgent, until } from "./agent.test.support.js";
import { connect } from "./channel.js";
import { frameMethods } from "./numbers.js";
import { frameBytes, rawAgents, rawClient } from "./raw-peer.test.support.js";

const numbers = frameMethods.flatMap(({ request, reply }) => [request, reply]);
const frame = fc
  .record({
    type: fc.oneof(fc.constantFrom(...numbers, 0, 0x33, 0xffff), fc.nat(0x10000)),
    payload: fc.uint8Array({ maxLength: 40 }),
    trace: fc.string({ maxLength: 5 }),
  })
  .map(({ type, payload, trace }) => frameBytes(type, payload, trace));
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 64 }).map((given) => Buffer.from(given)),
  fc.array(frame, { minLength: 1, maxLength: 4 }).map((frames) => Buffer.concat(frames)),
);

test("a server that gets anything answers the next client, and keeps nothing of the last", async () => {
  await using agent = await testAgent({
    sandbox: {
      run: () => [{ stream: "stdout" }],
      async *exec(requests) {
        for await (const _ of requests) yield { stream: "stdout" };
      },
      events: () => [{ action: "ready" }],
    },
  });
  const client = createClient(AgentService, agent.channel);
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const raw = await rawClient(agent.address);
      raw.send(sent);
      raw.end();
      await raw.closed;
      expect((await client.ping({ message: "x" })).message).toBe("pong: x");
    }),
    { seed: propertySeed, numRuns: 300 },
  );
  await until(() => agent.server.connections === 1 && agent.server.runningCalls === 0);
});

test("a client that gets anything ends each call with an error or an answer", async () => {
  const agents = rawAgents();
  const channel = connect(agents.dial);
  const run = async (sent: Buffer, call: () => Promise<unknown>): Promise<void> => {
    const ended = call().then(
      () => undefined,
      (error: unknown) => error,
    );
    const agent = await agents.next();
    await agent.next();
    agent.send(sent);
    agent.destroy();
    expect([undefined, ...Object.values(Code)]).toContain(((await ended) as { code?: Code } | undefined)?.code);
    await agent.closed;
  };
  const agent = createClient(AgentService, channel);
  const sandbox = createClient(SandboxService, channel);
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      await run(sent, () => agent.ping({}));
      await run(sent, () => Array.fromAsync(sandbox.run({})));
      await run(sent, () => Array.fromAsync(sandbox.exec([{ payload: { case: "init", value: {} } }])));
    }),
    { seed: propertySeed, numRuns: 300 },
  );
  await channel.close();
});

test("connections are told of on both ends", async () => {
  const told: string[] = [];
  const names = ["client", "server"].flatMap((side) =>
    ["open", "close", "failed"].map((moment) => `guestwire:${side}.connection:${moment}`),
  );
  const hear = (message: unknown, name: string | symbol): void => {
    const event = message as ConnectionEvent;
    if (event.protocol === "arcbox-frames") told.push(String(name).slice("guestwire:".length));
  };
  for (const name of names) subscribe(name, hear);
  try {
    await using agent = await testAgent({});
    await createClient(AgentService, agent.channel).ping({});
    await agent.channel.close();
    await until(() => agent.server.connections === 0);
    expect([...told].sort()).toEqual([
      "client.connection:close",
      "client.connection:open",
      "server.connection:close",
      "server.connection:open",
    ]);
    const broken = connect(`${agent.address}.none`);
    expect(await failure(createClient(AgentService, broken).ping({}))).toMatchObject({ code: Code.Unavailable });
    expect(told.at(-1)).toBe("client.connection:failed");
  } finally {
    for (const name of names) unsubscribe(name, hear);
  }
});
