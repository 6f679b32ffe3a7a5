// What becomes of calls when a guest cannot be reached, says nothing, or goes: the reason arrives, and nothing is left.
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { credentials } from "@grpc/grpc-js";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { machine } from "./machine.test.support.js";
import { serve } from "./server.js";
import { failure as failing, until } from "./server.test.support.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

const failure = async (promise: PromiseLike<unknown>): Promise<RpcError> => RpcError.from(await failing(promise));
const noConnection = { code: Code.Unavailable, reason: "connect_failed" };
const lost = { code: Code.Unavailable, reason: "connection_closed" };

/** A monitor of which a test says every word. */
async function monitor(talk: (socket: Socket) => void): Promise<{ address: string; server: Server } & AsyncDisposable> {
  const folder = await tempFolder();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => talk(socket));
  });
  await once(server.listen(folder.file("vm.sock")), "listening");
  return {
    address: `hvsock://${folder.file("vm.sock")}:1024`,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("a connection that cannot be made", () => {
  test("no monitor: calls of every kind fail with the cause, now and while the next attempt waits", async () => {
    await using folder = await tempFolder();
    const address = `hvsock://${folder.file("none.sock")}:1024`;
    await using channel = connect(address);
    const client = createClient(EchoService, channel);
    for (const call of [client.echo({}), client.split({}).next(), client.join([]), client.chat([]).next()]) {
      const error = await failure(call);
      expect(error).toMatchObject({ ...noConnection, peer: address });
      expect(error.rawMessage).toBe(`cannot connect to ${address}: connect ENOENT ${folder.file("none.sock")}`);
    }
  });

  test("nobody listens in the guest", async () => {
    await using guest = await machine();
    const address = guest.address.replace(/1024$/, "1025");
    await using channel = connect(address);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject(noConnection);
    expect(error.rawMessage).toMatch(
      /^cannot connect to hvsock:[^ ]*:1025: the VMM closed the connection before its answer/,
    );
  });

  test("an answer that is none", async () => {
    await using other = await monitor((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await using channel = connect(other.address);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject(noConnection);
    expect(error.rawMessage).toMatch(/HTTP\/1\.1 400 Bad Request.*not "OK <number>"/);
  });

  test("in a list, the error names the address that it is about", async () => {
    await using folder = await tempFolder();
    const addresses = ["a", "b"].map((name) => `hvsock://${folder.file(name)}:1`);
    await using channel = connect(addresses);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject({ ...noConnection, peer: addresses.join(",") });
    expect(error.rawMessage).toMatch(/^cannot connect to hvsock:\S*,hvsock:\S*: hvsock:\S*: connect ENOENT/);
  });

  test("a descriptor that is no socket, however often it is tried", async () => {
    await using channel = connect("fd://2147483647");
    const client = createClient(EchoService, channel);
    for (let i = 0; i < 3; i++) {
      expect(await failure(client.echo({}))).toMatchObject({
        ...noConnection,
        rawMessage: "cannot connect to fd://2147483647: the descriptor is no unix or TCP socket",
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

describe("with waitForReady", () => {
  test("calls fail at once where no waiting helps, the first and later ones", async () => {
    await using other = await monitor((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await using channel = connect(other.address, { waitForReady: true });
    const client = createClient(EchoService, channel);
    for (const call of [() => client.echo({}), () => client.split({}).next(), () => client.join([])]) {
      const error = await failure(call());
      expect(error).toMatchObject({ ...noConnection, cause: { code: "ERR_VSOCK_HYBRID_REPLY" } });
      expect(error.rawMessage).toMatch(/^cannot connect to hvsock:[^ ]*:1024: the answer was "HTTP/);
    }
  });

  test.each(["pick_first", "round_robin"] as const)("they wait while another address may come: %s", async (policy) => {
    await using other = await monitor((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await using guest = await machine();
    await guest.off();
    const options = { waitForReady: true, backoff: { initialMs: 5, maxMs: 5 }, loadBalancing: policy };
    await using channel = connect([guest.address, other.address], options);
    const waiting = createClient(EchoService, channel).echo({ text: "waited" });
    let asked = 0;
    other.server.on("connection", () => asked++);
    await until(() => asked > 2);
    await guest.on();
    expect((await waiting).text).toBe("waited");
  });

  test("a deadline that passes tells why there was no connection", async () => {
    await using folder = await tempFolder();
    const path = folder.file("none.sock");
    for (const address of [`hvsock://${path}:1`, `unix://${path}`]) {
      await using channel = connect(address, { waitForReady: true });
      const client = createClient(EchoService, channel);
      const late = (): Promise<RpcError> => failure(client.echo({}, { timeoutMs: 20 }));
      let error = await late();
      // On a busy machine it may pass before the first attempt ends.
      while (error.rawMessage === "the deadline passed") error = await late();
      expect(error).toMatchObject({
        code: Code.DeadlineExceeded,
        reason: "deadline",
        rawMessage: `the deadline passed while connecting to ${address}: connect ENOENT ${path}`,
        cause: { code: "ENOENT" },
      });
    }
  });
});

describe("a machine that is paused", () => {
  test("is given up after connectTimeoutMs, and tried again", async () => {
    await using guest = await machine();
    guest.paused = true;
    await using channel = connect(guest.address, { connectTimeoutMs: 50, backoff: { initialMs: 5, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    for (const call of [client.echo({}), client.split({}).next()]) {
      const error = await failure(call);
      expect(error).toMatchObject(noConnection);
      expect(error.rawMessage).toMatch(/no connection within 50 ms/);
    }
    guest.paused = false;
    for (;;) if ((await client.echo({ text: "awake" }).catch(() => ({ text: "" }))).text === "awake") break;
    expect(guest.asked).toBeGreaterThan(1);
  });

  test("with waitForReady calls wait for it", async () => {
    await using guest = await machine();
    await guest.off();
    await using channel = connect(guest.address, { waitForReady: true, backoff: { initialMs: 5, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    const waiting = client.echo({ text: "waited" });
    expect(await failure(client.echo({}, { timeoutMs: 30 }))).toMatchObject({ reason: "deadline" });
    await guest.on();
    expect((await waiting).text).toBe("waited");
  });

  test.each([
    ["ours", {}],
    ["grpc-js' own", { credentials: credentials.createInsecure() }],
  ])("holds up neither a deadline, nor a signal, nor the end of the channel; credentials of %s", async (_, options) => {
    await using guest = await machine();
    guest.paused = true;
    const channel = connect(guest.address, { connectTimeoutMs: 60_000, ...options });
    const client = createClient(EchoService, channel);
    expect(await failure(client.echo({}, { timeoutMs: 20 }))).toMatchObject({ reason: "deadline" });
    const waiting = failure(client.echo({}));
    await until(() => guest.asked === 1);
    await channel.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled, rawMessage: "the channel was closed" });
    await until(() => guest.open === 0);
  });

  test("a guest whose server never speaks is given up as well", async () => {
    await using silent = await monitor((socket) => socket.write("OK 1073741824\n"));
    await using channel = connect(silent.address, { connectTimeoutMs: 50 });
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject(noConnection);
    expect(error.rawMessage).toMatch(/no connection within 50 ms$|did not answer within 50 ms$/);
  });
});

describe("a guest that goes", () => {
  test("ends its calls with Unavailable at once, and is connected to anew when it is back", async () => {
    await using guest = await machine();
    await using channel = connect(guest.address, { backoff: { initialMs: 5, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    const hanging = failure(client.hang({}));
    const responses = client.chat([{ text: "first" }]);
    expect((await responses.next()).value?.text).toBe("first");
    await until(() => guest.server.runningCalls === 1);
    await guest.off();
    expect(await hanging).toMatchObject({ ...lost, peer: guest.address });
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unavailable });
    await guest.on();
    for (;;) if ((await client.echo({ text: "back" }).catch(() => ({ text: "" }))).text === "back") break;
  });

  // A reset looks like this under vsock.
  test("a clean end is no answer to a running call, after the server's goodbye neither", async () => {
    const folder = await tempFolder();
    const sockets: Socket[] = [];
    const servers = [0, 1].map((n) =>
      serve().service(EchoService, { ...echoHandlers, echo: () => ({ text: `${n}` }) }),
    );
    await using vm = await monitor((socket) => {
      socket.write("OK 1\n");
      servers[sockets.push(socket) - 1]?.attach(socket);
    });
    const channel = connect(vm.address);
    const client = createClient(EchoService, channel);
    expect((await client.echo({})).text).toBe("0");
    const running = [failure(client.hang({})), failure(client.hang({}))];
    await until(() => servers[0]?.runningCalls === 2);
    const closed = servers[0]?.close({ graceMs: 86_400_000 });
    while ((await client.echo({})).text !== "1");
    sockets[0]?.end();
    sockets[0]?.destroy();
    for (const error of await Promise.all(running)) expect(error).toMatchObject(lost);
    await closed;
    await channel.close();
    await servers[1]?.close();
    await folder[Symbol.asyncDispose]();
  });

  test("what the server says together with the monitor's answer is not lost", async () => {
    const server = serve().service(EchoService, echoHandlers);
    await using folder = await tempFolder();
    await server.listen(`unix://${folder.file("guest.sock")}`);
    await using vm = await monitor((socket) => {
      const guest = createConnection(folder.file("guest.sock"));
      guest.on("error", () => {});
      guest.on("close", () => socket.destroy());
      socket.on("close", () => guest.destroy());
      // Its settings, unasked.
      guest.once("data", (first: Buffer) => {
        socket.write(Buffer.concat([Buffer.from("OK 1\n"), first]));
        socket.pipe(guest).pipe(socket);
      });
    });
    const channel = connect(vm.address);
    expect((await createClient(EchoService, channel).echo({ text: "whole" })).text).toBe("whole");
    await channel.close();
    await server.close();
  });
});
