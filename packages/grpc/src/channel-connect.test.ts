// Connections as the client sees them: none to be had, none in time, lost, made anew, and nothing left at the end.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { plainServer } from "./plain-server.test.support.js";
import { relayTo } from "./relay.test.support.js";
import { serve } from "./server.js";

const handlesGone = watchHandles();
afterAll(() => handlesGone());

async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

/** Accepts and never answers. */
async function blackHole(): Promise<{ address: string; sockets: Set<Socket>; server: Server } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    address: `tcp://127.0.0.1:${port}`,
    sockets,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const noConnection = { code: Code.Unavailable, reason: "connect_failed" };

describe("without a server", () => {
  test("a call fails with the cause, of every kind", async () => {
    await using folder = await tempFolder();
    const address = `unix://${folder.file("none.sock")}`;
    await using channel = connect(address);
    const client = createClient(EchoService, channel);
    const expected = {
      ...noConnection,
      peer: address,
      method: "/guestwire.test.v1.EchoService/Echo",
      rawMessage: `cannot connect to ${address}: connect ENOENT ${folder.file("none.sock")}`,
    };
    expect(await failure(client.echo({}))).toMatchObject(expected);
    // While the next attempt waits for its time, too.
    expect(await failure(client.echo({}))).toMatchObject(expected);
    expect(await failure(client.split({}).next())).toMatchObject(noConnection);
    expect(await failure(client.join([]))).toMatchObject(noConnection);
    expect(await failure(client.chat([]).next())).toMatchObject(noConnection);
  });

  test("an abstract socket is named as it was written", async () => {
    await using channel = connect("unix:@guestwire-none");
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject(noConnection);
    expect(error.rawMessage).toMatch(/^cannot connect to unix:@guestwire-none: connect ECONNREFUSED @guestwire-none/);
  });

  test("an unused port", async () => {
    const hole = await blackHole();
    await hole[Symbol.asyncDispose]();
    await using channel = connect(hole.address);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject(noConnection);
    expect(error.rawMessage).toContain("ECONNREFUSED");
  });

  test("a name that cannot be resolved", async () => {
    await using channel = connect("dns:///name.invalid:1", { connectTimeoutMs: 20_000 });
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject(noConnection);
  });

  test("with waitForReady calls wait, and go on as soon as there is one", async () => {
    await using folder = await tempFolder();
    const path = folder.file("late.sock");
    await using channel = connect(`unix://${path}`, { waitForReady: true, backoff: { initialMs: 5, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    const waiting = [client.echo({ text: "late" }), client.join([{}])];
    expect(await failure(client.echo({}, { timeoutMs: 50 }))).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "deadline",
    });
    await using _ = await plainServer(
      {
        echo: (call, done) => done(null, { text: call.request.text }),
        join: (call, done) => void call.on("data", () => {}).on("end", () => done(null, { text: "joined" })),
      },
      { at: `unix:${path}` },
    );
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(["late", "joined"]);
  });
});

describe("a server that accepts and never answers", () => {
  test("is given up after connectTimeoutMs", async () => {
    await using hole = await blackHole();
    await using channel = connect(hole.address, { connectTimeoutMs: 50 });
    const client = createClient(EchoService, channel);
    for (const call of [client.echo({}), client.split({}).next(), client.join([])]) {
      const error = await failure(call);
      expect(error).toMatchObject(noConnection);
      expect(error.rawMessage).toMatch(/no connection within 50 ms$|did not answer within 50 ms$/);
    }
  });

  test("with TLS as well", async () => {
    await using hole = await blackHole();
    await using channel = connect(hole.address, { connectTimeoutMs: 50, tls: true });
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject(noConnection);
  });

  test("its connection is closed, and another one is tried", async () => {
    await using hole = await blackHole();
    const second = Promise.withResolvers<void>();
    let accepted = 0;
    hole.server.on("connection", () => {
      if (++accepted === 2) second.resolve();
    });
    await using channel = connect(hole.address, { connectTimeoutMs: 20, backoff: { initialMs: 5, maxMs: 5 } });
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject(noConnection);
    await second.promise;
    await channel.close();
    while (hole.sockets.size > 0) await new Promise(setImmediate);
  });

  test("does not hold up a deadline, a signal, nor the end of the channel", async () => {
    await using hole = await blackHole();
    const channel = connect(hole.address, { connectTimeoutMs: 60_000 });
    const client = createClient(EchoService, channel);
    const late = { code: Code.DeadlineExceeded, reason: "deadline", rawMessage: "the deadline passed" };
    expect(await failure(client.echo({}, { timeoutMs: 20 }))).toMatchObject(late);
    expect(await failure(client.chat([], { timeoutMs: 20 }).next())).toMatchObject(late);
    const control = new AbortController();
    const canceled = failure(client.echo({}, { signal: control.signal }));
    const left = client.split({});
    const waiting = failure(client.join([]));
    control.abort();
    expect(await canceled).toMatchObject({ code: Code.Canceled, reason: "canceled" });
    await left.return();
    await channel.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled, rawMessage: "the channel was closed" });
    while (hole.sockets.size > 0) await new Promise(setImmediate);
  });

  test("more calls than may wait are refused", async () => {
    await using hole = await blackHole();
    await using channel = connect(hole.address, { limits: { waitingCalls: 2 } });
    const client = createClient(EchoService, channel);
    const waiting = [failure(client.echo({})), failure(client.echo({}))];
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.ResourceExhausted, reason: "overflow" });
    await channel.close();
    for (const error of await Promise.all(waiting)) expect(error.code).toBe(Code.Canceled);
  });
});

describe("a connection that is lost", () => {
  test("ends its calls with Unavailable, and the next call makes another", async () => {
    const begun = Promise.withResolvers<void>();
    await using server = await plainServer({
      echo: (call, done) => done(null, { text: call.request.text }),
      hang: () => begun.resolve(),
      split: (call) => void call.write({ number: 1n }),
    });
    await using relay = await relayTo(server.address);
    await using channel = connect(relay.address);
    const client = createClient(EchoService, channel);
    const hanging = failure(client.hang({}));
    const responses = client.split({});
    expect((await responses.next()).value?.number).toBe(1n);
    await begun.promise;
    relay.cut();
    const lost = { code: Code.Unavailable, reason: "connection_closed", peer: channel.target };
    expect(await hanging).toMatchObject(lost);
    expect(await failure(responses.next())).toMatchObject(lost);
    expect((await client.echo({ text: "again" })).text).toBe("again");
  });

  test("one that is reset after the server's goodbye is lost as well", async () => {
    const sockets: Socket[] = [];
    const servers = [0, 1].map((n) =>
      serve().service(EchoService, { ...echoHandlers, echo: () => ({ text: `${n}` }) }),
    );
    const listener = createServer((socket) => servers[sockets.push(socket) - 1]?.attach(socket));
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as { port: number };
    const channel = connect(`tcp://127.0.0.1:${port}`);
    const client = createClient(EchoService, channel);
    expect((await client.echo({})).text).toBe("0");
    const running = failure(client.hang({}));
    while (servers[0]?.runningCalls !== 1) await new Promise(setImmediate);
    const closed = servers[0].close({ graceMs: 86_400_000 });
    // The goodbye was heard once calls go elsewhere.
    while ((await client.echo({})).text !== "1");
    sockets[0]?.resetAndDestroy();
    expect(await running).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    await closed;
    await channel.close();
    await servers[1]?.close();
    listener.close();
  });

  test("a server that goes away in peace finishes its calls; new ones go to the next", async () => {
    await using folder = await tempFolder();
    const at = `unix:${folder.file("s.sock")}`;
    const begun = Promise.withResolvers<{ finish: () => void }>();
    const first = await plainServer({ hang: (_, done) => begun.resolve({ finish: () => done(null, {}) }) }, { at });
    await using channel = connect(`unix://${folder.file("s.sock")}`, { waitForReady: true, backoff: { initialMs: 5 } });
    const client = createClient(EchoService, channel);
    const running = client.hang({});
    const { finish } = await begun.promise;
    const gone = new Promise<void>((resolve) => first.server.tryShutdown(() => resolve()));
    await using _ = await plainServer({ echo: (_call, done) => done(null, { text: "second" }) }, { at });
    // Sent before the server's goodbye came, it may still be answered by the first, which has no such method.
    for (;;) if ((await client.echo({}).catch(() => ({ text: "" }))).text === "second") break;
    finish();
    await running;
    await gone;
    await first[Symbol.asyncDispose]();
  });
});

describe("channels", () => {
  test("to the same server have connections of their own", async () => {
    await using server = await plainServer({ echo: (_, done) => done(null, {}), hang: () => {} });
    await using one = connect(server.address);
    const other = connect(server.address);
    const running = failure(createClient(EchoService, other).hang({}));
    await createClient(EchoService, one).echo({});
    await createClient(EchoService, other).echo({});
    await other.close();
    expect(await running).toMatchObject({ code: Code.Canceled });
    await createClient(EchoService, one).echo({});
  });

  test("leave no socket behind when they are closed", async () => {
    await using server = await plainServer({ echo: (_, done) => done(null, {}), hang: () => {} });
    const gone = watchHandles();
    for (let i = 0; i < 20; i++) {
      const channel = connect(server.address);
      const client = createClient(EchoService, channel);
      if (i % 2 === 0) await client.echo({});
      const running = [failure(client.hang({})), failure(client.split({}).next())];
      await channel.close();
      await Promise.all(running);
    }
    await gone();
  });

  test("a deadline, a signal and the end at the same time end a call once", async () => {
    await using server = await plainServer({ hang: () => {} });
    for (let i = 0; i < 50; i++) {
      const channel = connect(server.address);
      const client = createClient(EchoService, channel);
      const control = new AbortController();
      const calls = [
        client.hang({}, { timeoutMs: 1 + (i % 3), signal: control.signal }),
        client.chat([{}], { timeoutMs: 1 + (i % 3), signal: control.signal }).next(),
      ].map(failure);
      for (let turn = 0; turn < i % 7; turn++) await new Promise(setImmediate);
      control.abort();
      await channel.close();
      for (const { code } of await Promise.all(calls)) {
        expect([Code.Canceled, Code.DeadlineExceeded, Code.Unimplemented]).toContain(code);
      }
    }
  });
});
