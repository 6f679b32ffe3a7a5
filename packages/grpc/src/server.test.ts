// serve(): where it listens, what it counts, and how it ends.
import { lstat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, rawConnect, streamPair, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { serve } from "./server.js";
import { echoServer, failure, fired, rawClient, until } from "./server.test.support.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

describe("listening", () => {
  test("serves the same services on several addresses and knows them", async () => {
    await using folder = await tempFolder();
    await using server = serve().service(EchoService, echoHandlers);
    const path = folder.file("new/a.sock");
    const unix = await server.listen(`unix://${path}`);
    const tcp = await server.listen("tcp://127.0.0.1:0");
    expect(unix).toBe(`unix://${path}`);
    expect(tcp).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect(server.addresses).toEqual([unix, tcp]);
    expect(server.services).toEqual([EchoService]);
    for (const [address, peerKind] of [
      [unix, "unix"],
      [tcp, "tcp"],
    ] as const) {
      await using channel = connect(address);
      const client = createClient(EchoService, channel);
      expect(await client.inspect({})).toMatchObject({ peerKind });
    }
  });

  test("a unix socket is the owner's alone and goes with the server", async () => {
    await using folder = await tempFolder();
    const server = serve();
    const path = folder.file("new/a.sock");
    await server.listen(`unix://${path}`);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect((await lstat(folder.file("new"))).mode & 0o777).toBe(0o700);
    const other = serve();
    expect(await failure(other.listen(`unix://${path}`))).toMatchObject({ code: Code.AlreadyExists });
    await other.close();
    await server.close();
    await expect(lstat(path)).rejects.toThrow("ENOENT");
  });

  test("services may be registered after it began", async () => {
    await using peer = await echoServer();
    await using late = serve();
    const address = await late.listen("tcp://127.0.0.1:0");
    late.service(EchoService, echoHandlers);
    await using channel = connect(address);
    expect(await createClient(EchoService, channel).echo({ text: "late" })).toMatchObject({ text: "late" });
    expect(() => peer.server.service(EchoService, {})).toThrow(/already/);
  });

  test("an open stream is served with the peer that was given", async () => {
    await using server = serve().service(EchoService, echoHandlers);
    await using folder = await tempFolder();
    const relay = createServer((socket) => {
      const [ours, theirs] = streamPair();
      socket.pipe(ours).pipe(socket);
      socket.on("error", () => {});
      server.attach(theirs, { kind: "vsock", address: "vsock://3:1024" });
    });
    await new Promise<void>((resolve) => relay.listen(folder.file("r.sock"), resolve));
    await using channel = connect(`unix://${folder.file("r.sock")}`);
    expect(await createClient(EchoService, channel).inspect({})).toMatchObject({ peerKind: "vsock" });
    expect(() => server.attach({} as never)).toThrow(/Duplex/);
    await channel.close();
    await server.close();
    await new Promise((resolve) => relay.close(resolve));
  });

  test.each([
    ["vsock://guest:1", Code.InvalidArgument, /the cid "guest" is not a number/],
    ["hvsock://v.sock:1", Code.InvalidArgument, /not absolute/],
    ["fd://2147483647", Code.InvalidArgument, /no listening socket/],
    ["somewhere", Code.InvalidArgument, /no scheme/],
    ["tcp://no-such-host.invalid:1", Code.FailedPrecondition, /no-such-host\.invalid/],
  ])("%s is refused", async (address, code, text) => {
    await using server = serve();
    expect(await failure(server.listen(address))).toMatchObject({ code, rawMessage: expect.stringMatching(text) });
    expect(server.addresses).toEqual([]);
  });

  test("connections over the limit are closed at once, and there is room again when one ends", async () => {
    await using peer = await echoServer({}, { limits: { connections: 2 } });
    const first = await rawClient(peer.address);
    await using second = await rawClient(peer.address);
    expect(second.session.closed).toBe(false);
    const path = peer.address.slice("unix://".length);
    await using third = await rawConnect(path);
    await third.closed;
    expect(peer.server.connections).toBe(2);
    await first[Symbol.asyncDispose]();
    await until(() => peer.server.connections === 1);
    expect(await peer.client.echo({ text: "room" })).toMatchObject({ text: "room" });
  });
});

describe("plaintext", () => {
  const refused = { code: Code.FailedPrecondition, rawMessage: expect.stringMatching(/allowRemotePlaintext/) };

  test.each(["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:0"])("is not served on %s", async (address) => {
    await using server = serve();
    expect(await failure(server.listen(address))).toMatchObject(refused);
    expect(server.addresses).toEqual([]);
  });

  test.each(["tcp://127.0.0.1:0", "tcp://localhost:0", "tcp://127.1.2.3:0"])("is served on %s", async (address) => {
    await using server = serve().service(EchoService, echoHandlers);
    const real = await server.listen(address);
    expect(real.startsWith(address.slice(0, -1))).toBe(true);
    await using channel = connect(real);
    expect(await createClient(EchoService, channel).echo({ text: "here" })).toMatchObject({ text: "here" });
  });

  test("is served anywhere where that was asked for", async () => {
    await using server = serve({ allowRemotePlaintext: true }).service(EchoService, echoHandlers);
    const address = await server.listen("tcp://0.0.0.0:0");
    await using channel = connect(address.replace("0.0.0.0", "127.0.0.1"));
    expect(await createClient(EchoService, channel).echo({ text: "any" })).toMatchObject({ text: "any" });
  });
});

describe("closing", () => {
  test("waits for the calls that run and takes no new ones", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using peer = await echoServer({
      async echo() {
        begun.resolve();
        await go.promise;
        return { text: "done" };
      },
    });
    const running = peer.client.echo({});
    await begun.promise;
    expect([peer.server.connections, peer.server.runningCalls]).toEqual([1, 1]);
    const closed = peer.server.close({ graceMs: 60_000 });
    expect(await failure(peer.client.inspect({}))).toMatchObject({ code: Code.Unavailable });
    go.resolve();
    expect(await running).toMatchObject({ text: "done" });
    await closed;
    expect([peer.server.connections, peer.server.runningCalls]).toEqual([0, 0]);
    expect(await failure(peer.server.listen("tcp://127.0.0.1:0"))).toMatchObject({ code: Code.Unavailable });
  });

  test("cuts what is left when the grace is over, and tells the handlers why", async () => {
    const told = Promise.withResolvers<unknown>();
    await using peer = await echoServer({
      async hang(_, context) {
        told.resolve(await fired(context.signal));
        return {};
      },
    });
    const call = failure(peer.client.hang({}));
    await until(() => peer.server.runningCalls === 1);
    await peer.server.close({ graceMs: 1 });
    expect(await told.promise).toMatchObject({ code: Code.Canceled, rawMessage: "the server shuts down" });
    expect(await call).toMatchObject({ code: Code.Unavailable });
    await until(() => peer.server.runningCalls === 0);
  });

  test("ends connections that never said a word, and those whose client keeps its side open", async () => {
    await using folder = await tempFolder();
    const server = serve();
    await server.listen(`unix://${folder.file("a.sock")}`);
    await using silent = await rawConnect(folder.file("a.sock"));
    await until(() => server.connections === 1);
    await server.close({ graceMs: 5 });
    await silent.closed;
  });

  test("a second close waits for the same end; an unused server closes; disposal closes", async () => {
    const server = serve();
    await Promise.all([server.close(), server.close({ graceMs: 0 })]);
    await server[Symbol.asyncDispose]();
    expect(await failure(server.listen("tcp://127.0.0.1:0"))).toMatchObject({ code: Code.Unavailable });
  });

  test("a listen that is under way ends without a socket", async () => {
    await using folder = await tempFolder();
    const server = serve();
    const listening = failure(server.listen(`unix://${folder.file("a.sock")}`));
    await server.close();
    expect(await listening).toMatchObject({ code: Code.Unavailable });
  });

  test("a connection that comes after is closed", async () => {
    const server = serve();
    await server.close();
    const [ours, theirs] = streamPair();
    server.attach(theirs as unknown as Socket);
    await until(() => theirs.destroyed);
    ours.destroy();
  });
});

describe("connections that have lasted", () => {
  test("too long are ended without harm to their calls, and the client makes others", async () => {
    const go = Promise.withResolvers<object>();
    await using peer = await echoServer({ hang: () => go.promise }, { maxConnectionAgeMs: 5 });
    const long = peer.client.hang({});
    await until(() => peer.server.runningCalls === 1);
    // Goes on while its connection takes no new calls.
    await using raw = await rawClient(peer.address);
    await new Promise((resolve) => raw.session.once("goaway", resolve));
    expect(await peer.client.echo({ text: "on another" })).toMatchObject({ text: "on another" });
    go.resolve({});
    await long;
    await until(() => peer.server.connections === 0);
  });

  test("too long without a call are closed", async () => {
    await using peer = await echoServer({}, { maxConnectionIdleMs: 5 });
    await using raw = await rawClient(peer.address);
    await new Promise((resolve) => raw.session.once("close", resolve));
    await until(() => peer.server.connections === 0);
    expect(await peer.client.echo({ text: "anew" })).toMatchObject({ text: "anew" });
  });

  test("in silence are pinged, and closed where no answer comes", async () => {
    await using peer = await echoServer({}, { keepalive: { timeMs: 5, timeoutMs: 5 } });
    await using deaf = await rawConnect(peer.address.slice("unix://".length));
    await deaf.closed;
    await until(() => peer.server.connections === 0);
  });
});

test.each([
  [{ limits: { connections: 0 } }, /the limit connections/],
  [{ limits: { sessions: 1 } }, /no limit called "sessions"/],
  [{ maxConnectionAgeMs: Number.NaN }, /maxConnectionAgeMs/],
  [{ keepalive: { minPingIntervalMs: -1 } }, /keepalive\.minPingIntervalMs/],
  [{ keepalive: { minPingInterval: 1 } as object }, /keepalive has no option "minPingInterval"/],
  [{ tsl: {} }, /no option "tsl"/],
  [{ tls: true }, /tls must be \{ cert, key \}.*not true/],
])("bad options are refused by name: %j", (options, text) => {
  const attempt = (): unknown => serve(options as never);
  expect(attempt).toThrow(RpcError);
  expect(attempt).toThrow(text);
});
