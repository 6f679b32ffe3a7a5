// Which connection a call gets, seen from outside: how many are dialed, in which order calls are served, what is kept.
import { connect as connectSocket } from "node:net";
import { AgentService } from "@guestwire/agent";
import { Code, createClient, type RpcError } from "@guestwire/rpc";
import { SandboxService } from "@guestwire/sandbox";
import { streamPair, tempFolder, turns } from "@guestwire/testkit";
import { describe, expect, test, vi } from "vitest";
import { failure, testAgent, until } from "./agent.test.support.js";
import { connect } from "./channel.js";
import { type RawEnd, rawAgents, rawEnd } from "./raw-peer.test.support.js";
import { serve } from "./server.js";

const pong = Buffer.from("0a04706f6e67", "hex");

async function answer(agent: RawEnd): Promise<string> {
  const { payload } = await agent.next();
  agent.frame(0x1001, pong);
  return Buffer.from(payload, "hex").subarray(2).toString();
}

describe("calls", () => {
  test("beyond the bound wait and are served in the order in which they came", async () => {
    const agents = rawAgents();
    const channel = connect(agents.dial, { limits: { callConnections: 2 } });
    const client = createClient(AgentService, channel);
    const calls = ["a", "b", "c", "d", "e"].map((message) => client.ping({ message }));
    const [one, two] = [await agents.next(), await agents.next()] as const;
    expect([await answer(one), await answer(one), await answer(one)]).toEqual(["a", "c", "d"]);
    expect([await answer(two), await answer(one)]).toEqual(["b", "e"]);
    await Promise.all(calls);
    expect(agents.dialed).toBe(2);
    await channel.close();
  });

  test("over the bound of waiting ones are refused", async () => {
    const agents = rawAgents();
    const channel = connect(agents.dial, { limits: { callConnections: 1, waitingCalls: 1 } });
    const client = createClient(AgentService, channel);
    const calls = [client.ping({}), client.ping({})];
    expect(await failure(client.ping({}))).toMatchObject({ code: Code.ResourceExhausted, reason: "overflow" });
    const agent = await agents.next();
    await answer(agent);
    await answer(agent);
    await Promise.all(calls);
    await channel.close();
  });

  test("that end while they wait lose their turn and no one else's", async () => {
    const agents = rawAgents();
    const channel = connect(agents.dial, { limits: { callConnections: 1 } });
    const client = createClient(AgentService, channel);
    const control = new AbortController();
    const first = client.ping({ message: "a" });
    const left = failure(client.ping({ message: "b" }, { signal: control.signal }));
    const late = failure(client.ping({ message: "c" }, { timeoutMs: 10 }));
    const last = client.ping({ message: "d" });
    control.abort();
    expect(await left).toMatchObject({ code: Code.Canceled });
    expect(await late).toMatchObject({ code: Code.DeadlineExceeded });
    const agent = await agents.next();
    expect([await answer(agent), await answer(agent)]).toEqual(["a", "d"]);
    await Promise.all([first, last]);
    await channel.close();
  });

  test("that are canceled close their connection, and the next one dials", async () => {
    const agents = rawAgents();
    const channel = connect(agents.dial, { limits: { callConnections: 1 } });
    const client = createClient(AgentService, channel);
    const control = new AbortController();
    const left = failure(client.ping({ message: "a" }, { signal: control.signal }));
    const next = client.ping({ message: "b" });
    const first = await agents.next();
    await first.next();
    control.abort();
    expect(await left).toMatchObject({ code: Code.Canceled });
    await first.closed;
    expect(await answer(await agents.next())).toBe("b");
    expect(await next).toMatchObject({ message: "pong" });
    await channel.close();
  });

  test("fail alone where dialing fails; the next one tries again", async () => {
    let broken = true;
    const agents = rawAgents();
    const channel = connect(() => {
      if (broken) throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
      return agents.dial();
    });
    const client = createClient(AgentService, channel);
    expect(await failure(client.ping({}))).toMatchObject({
      code: Code.Unavailable,
      reason: "connect_failed",
      rawMessage: "cannot connect to duplex:: connect ECONNREFUSED",
    });
    broken = false;
    const call = client.ping({});
    await answer(await agents.next());
    await call;
    await channel.close();
  });

  test("that wait while nobody is there fail together, with the first dial that fails", async () => {
    const dials: PromiseWithResolvers<never>[] = [];
    const channel = connect(
      () => {
        const dial = Promise.withResolvers<never>();
        dials.push(dial);
        return dial.promise;
      },
      { limits: { callConnections: 2 } },
    );
    const client = createClient(AgentService, channel);
    const calls = Array.from({ length: 10 }, () => failure(client.ping({})));
    await turns();
    expect(dials.length).toBe(2);
    dials[0]?.reject(new Error("nobody"));
    const [first, , ...others] = calls;
    for (const call of [first, ...others]) expect(await call).toMatchObject({ code: Code.Unavailable });
    expect(dials.length).toBe(2);
    dials[1]?.reject(new Error("nobody"));
    await Promise.all(calls);
    await channel.close();
  });

  test("do not wait longer than the time to connect, and what opens later is closed", async () => {
    const opening = Promise.withResolvers<RawEnd["stream"]>();
    const channel = connect(() => opening.promise, { connectTimeoutMs: 10 });
    const error = await failure(createClient(AgentService, channel).ping({}));
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
    expect(error.rawMessage).toContain("no connection within 10 ms");
    const [ours, theirs] = streamPair();
    opening.resolve(theirs);
    await rawEnd(ours).closed;
    await channel.close();
  });
});

describe("connections", () => {
  test("that no call uses are closed after a time", async () => {
    await using agent = await testAgent({}, { connect: { limits: { idleMs: 5 } } });
    await createClient(AgentService, agent.channel).ping({});
    expect(agent.server.connections).toBe(1);
    await until(() => agent.server.connections === 0);
    await createClient(AgentService, agent.channel).ping({});
  });

  test("an open stream is the only one: run gives it back, after events and exec it is used up", async () => {
    const [ours, theirs] = streamPair();
    await using server = serve()
      .service(AgentService, { ping: () => ({ message: "pong" }) })
      .service(SandboxService, {
        run: () => [{ stream: "exit", done: true }],
        async *exec() {
          yield { stream: "exit", done: true };
        },
      });
    server.attach(ours);
    const channel = connect(theirs);
    const agent = createClient(AgentService, channel);
    const sandbox = createClient(SandboxService, channel);
    await Promise.all([agent.ping({}), Array.fromAsync(sandbox.run({})), agent.ping({})]);
    await Array.fromAsync(sandbox.exec([{ payload: { case: "init", value: {} } }]));
    expect(await failure(agent.ping({}))).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
    await channel.close();
  });

  test("2,000 calls and 300 streams leave nothing open", async () => {
    await using agent = await testAgent({
      sandbox: {
        run: () => [{ stream: "exit", done: true }],
        async *events(_, { signal }) {
          yield {};
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
    });
    const client = createClient(AgentService, agent.channel);
    const sandbox = createClient(SandboxService, agent.channel);
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith("Pipe")).length;
    const before = sockets();
    for (let round = 0; round < 20; round++) {
      const pings = Array.from({ length: 100 }, (_, i) => {
        const call = client.ping({}, i % 10 === 0 ? { signal: AbortSignal.abort() } : {});
        return call.catch(() => {});
      });
      const streams = Array.from({ length: 15 }, async (_, i) => {
        if (i % 2 === 0) return Array.fromAsync(sandbox.run({}));
        for await (const _event of sandbox.events({})) break;
        return [];
      });
      await Promise.all([...pings, ...streams]);
    }
    await until(() => agent.server.connections <= 8);
    await agent.channel.close();
    await until(() => agent.server.connections === 0 && agent.server.runningCalls === 0);
    expect(sockets()).toBeLessThanOrEqual(before);
  });

  test("500 connections to a server one after the other, and at once, leave nothing open", async () => {
    await using agent = await testAgent({});
    for (let i = 0; i < 250; i++) {
      await using channel = connect(agent.address);
      await createClient(AgentService, channel).ping({});
    }
    const path = agent.address.slice("unix://".length);
    const sockets = Array.from({ length: 250 }, () => connectSocket(path));
    await until(() => agent.server.connections === 250);
    for (const socket of sockets) socket.destroy();
    await until(() => agent.server.connections === 0);
  });
});

describe("targets and options", () => {
  test.each([
    ["vsock://3", "vsock://3:1024"],
    ["vsock://3:52", "vsock://3:52"],
    ["hvsock:///run/vm.sock", "hvsock:///run/vm.sock:1024"],
    ["unix:///run/agent.sock", "unix:///run/agent.sock"],
  ])("%s leads to %s", (target, address) => {
    expect(connect(target)).toMatchObject({ target: address, protocol: "arcbox-frames" });
  });

  test("what is wrong is refused and named", async () => {
    await using folder = await tempFolder();
    const wrong: [make: () => unknown, text: string][] = [
      [() => connect("vsock://x"), '"vsock://x:1024" is no address'],
      [() => connect(5 as never), "connect() takes an address"],
      [() => connect("vsock://3", { connectTimeoutMs: 0 }), "connectTimeoutMs must be"],
      [() => connect("vsock://3", { traceId: "t" as never }), "traceId must be a function"],
      [() => connect("vsock://3", { limits: { idle: 1 } as never }), 'there is no limit called "idle"'],
      [() => connect("vsock://3", { limits: { idleMs: 0 } }), "the limit idleMs must be"],
      [() => serve({ limits: { frameBytes: (16 << 20) + 1 } }), "the limit frameBytes must be"],
      [() => serve({ limits: { frameBytes: 5 } }), "the limit frameBytes must be"],
      [() => connect("vsock://any:1024"), 'vsock://any:1024: "any" is where to listen; to connect, name a cid'],
      [() => connect("vsock://3", { waitForReady: true } as never), 'connect() has no option "waitForReady"'],
      [() => serve({ control: true } as never), 'serve() has no option "control"'],
      [() => serve().attach({} as never), "attach() takes an open Duplex"],
    ];
    for (const [make, text] of wrong) {
      const error = (() => {
        try {
          return make();
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(error).toMatchObject({ code: Code.InvalidArgument });
      expect((error as RpcError).rawMessage).toContain(text);
    }
    const server = serve();
    await server.close();
    expect(await failure(server.listen(`unix://${folder.file("a.sock")}`))).toMatchObject({ code: Code.Unavailable });
  });

  test("services without numbers are refused on both ends", async () => {
    const { typeName, methods } = AgentService;
    const other = { ...AgentService, typeName: "arcbox.v1.MachineService" };
    const method = { ...methods[0], parent: other } as unknown as typeof AgentService.method.ping;
    expect(() => serve().service({ ...other, methods: [method] } as never, {})).toThrow(
      "ArcBox's frames have no numbers for arcbox.v1.MachineService; serve it over ttrpc or gRPC",
    );
    const dial = vi.fn();
    const channel = connect(dial);
    expect(await failure(channel.unary(method, {}))).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "/arcbox.v1.MachineService/Ping has no number in ArcBox's frames",
    });
    expect(dial).not.toHaveBeenCalled();
    expect(typeName).toBe("arcbox.v1.AgentService");
    await channel.close();
  });

  test("trace ids: metadata first, then traceparent, then the channel's", async () => {
    const traces: (string | undefined)[] = [];
    await using agent = await testAgent(
      {
        agent: {
          ping: (_, { metadata }) => {
            traces.push(metadata.get("x-trace-id"));
            return {};
          },
        },
      },
      { connect: { traceId: (path) => (path.endsWith("Ping") ? "own" : "") } },
    );
    const client = createClient(AgentService, agent.channel);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await client.ping({}, { metadata: { traceparent, "x-trace-id": "given" } });
    await client.ping({}, { metadata: { traceparent } });
    await client.ping({}, { metadata: { traceparent: "broken" } });
    expect(traces).toEqual(["given", "0af7651916cd43dd8448eb211c80319c", "own"]);
    const long = failure(client.ping({}, { metadata: { "x-trace-id": "t".repeat(65_536) } }));
    expect(await long).toMatchObject({ code: Code.InvalidArgument });
    await client.ping({}, { metadata: { "x-trace-id": "t".repeat(65_535) } });
    expect(traces[3]).toHaveLength(65_535);
  });
});
