// What lies between a channel and its server: silence on the way, HTTP proxies, and what is told of connections.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { Code, createClient } from "@guestwire/rpc";
import type { ConnectionEvent } from "@guestwire/rpc/transport";
import { createTestCa, EchoService } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { plainServer } from "./plain-server.test.support.js";

async function closed(server: Server, sockets: Set<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
}

describe("keepalive", () => {
  test("ends the calls of a connection on which nothing comes any more", async () => {
    await using server = await plainServer(
      { echo: (_, done) => done(null, {}), hang: () => {} },
      { at: "127.0.0.1:0" },
    );
    const sockets = new Set<Socket>();
    const relay = createServer((near) => {
      const far = createConnection(Number(new URL(server.address).port), "127.0.0.1");
      for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
      near.pipe(far).pipe(near);
    });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const { port } = relay.address() as { port: number };
    await using channel = connect(`tcp://127.0.0.1:${port}`, { keepalive: { timeMs: 20, timeoutMs: 20 } });
    const client = createClient(EchoService, channel);
    await client.echo({});
    const call = client.hang({}).catch((error: unknown) => error);
    // Everything is swallowed from here on, and nobody is told.
    for (const socket of sockets) socket.unpipe().resume();
    expect(await call).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    await closed(relay, sockets);
  });
});

describe("an HTTP proxy of the environment", () => {
  test("is used for names that gRPC resolves, and not for addresses", async () => {
    await using server = await plainServer({ echo: (_, done) => done(null, {}) }, { at: "127.0.0.1:0" });
    const { port } = new URL(server.address);
    const sockets = new Set<Socket>();
    const asked: (string | undefined)[] = [];
    const proxy = createHttpServer();
    proxy.on("connection", (socket) => sockets.add(socket));
    proxy.on("connect", (request, near: Socket) => {
      asked.push(request.url);
      const far = createConnection(Number(port), "127.0.0.1", () => {
        near.write("HTTP/1.1 200 OK\r\n\r\n");
        near.pipe(far).pipe(near);
      });
      for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const before = process.env["grpc_proxy"];
    process.env["grpc_proxy"] = `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
    try {
      await using direct = connect(server.address);
      await createClient(EchoService, direct).echo({});
      expect(asked).toEqual([]);
      await using named = connect(`dns:///localhost:${port}`);
      await createClient(EchoService, named).echo({});
      expect(asked).toEqual([`localhost:${port}`]);
    } finally {
      if (before === undefined) delete process.env["grpc_proxy"];
      else process.env["grpc_proxy"] = before;
      await closed(proxy, sockets);
    }
  });
});

describe("events", () => {
  test("tell of each connection once when it is there and once when it has ended", async () => {
    const told: [string, string, string | undefined][] = [];
    const opened = (event: unknown): void => {
      const { protocol, address, kind } = event as ConnectionEvent;
      told.push([protocol, address, kind]);
    };
    const ended = Promise.withResolvers<ConnectionEvent>();
    const close = (event: unknown): void => ended.resolve(event as ConnectionEvent);
    subscribe("guestwire:client.connection:open", opened);
    subscribe("guestwire:client.connection:close", close);
    await using server = await plainServer({ echo: (_, done) => done(null, {}) });
    const channel = connect(server.address);
    expect([channel.protocol, channel.secure]).toEqual(["grpc", false]);
    const client = createClient(EchoService, channel);
    await Promise.all([client.echo({}), client.echo({})]);
    expect(told).toEqual([["grpc", server.address, "unix"]]);
    await channel.close();
    expect(await ended.promise).toMatchObject({ address: server.address, durationMs: expect.any(Number) });
    unsubscribe("guestwire:client.connection:open", opened);
    unsubscribe("guestwire:client.connection:close", close);
  });

  test("tell of a TLS handshake that failed", async () => {
    const failed = Promise.withResolvers<ConnectionEvent>();
    const listener = (event: unknown): void => failed.resolve(event as ConnectionEvent);
    subscribe("guestwire:client.connection:failed", listener);
    await using server = await plainServer({ echo: (_, done) => done(null, {}) });
    const { ca } = await createTestCa();
    await using channel = connect(server.address, { tls: { ca } });
    expect(channel.secure).toBe(true);
    await createClient(EchoService, channel)
      .echo({})
      .catch(() => {});
    expect(await failed.promise).toMatchObject({ protocol: "grpc", address: server.address, error: expect.any(Error) });
    unsubscribe("guestwire:client.connection:failed", listener);
  });
});
