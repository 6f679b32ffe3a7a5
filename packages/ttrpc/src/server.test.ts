// The life of a server: its addresses, its connections, its end.
import { Code, createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, rawConnect, rawPair, tempFolder, turns, watchHandles } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { failure } from "../test/support/calling.js";
import { controlled, type Serving, startServing } from "../test/support/serving.js";
import { dataFrame, echo, emptyData, requestFrame, say } from "../test/support/wire.js";
import { connect } from "./channel.js";
import { serve } from "./server.js";

let serving: Serving | undefined;

afterEach(async () => {
  await serving?.end();
  serving = undefined;
});

function start(...given: Parameters<typeof startServing>): Serving {
  serving = startServing(...given);
  return serving;
}

describe("listen", () => {
  test("serves several addresses at once, and says who is at the other end", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    const server = serve().service(EchoService, echoHandlers);
    const path = `unix://${folder.file("a.sock")}`;
    const addresses = [
      await server.listen(path),
      await server.listen("tcp://127.0.0.1:0"),
      await server.listen(`unix:@gw-${process.pid}`),
    ];
    expect(server.addresses).toEqual(addresses);
    expect(addresses[0]).toBe(path);
    const channels = addresses.map((address) => connect(address));
    const kinds = await Promise.all(
      channels.map(async (channel) => (await createClient(EchoService, channel).inspect({})).peerKind),
    );
    expect(kinds).toEqual(["unix", "tcp", "unix"]);
    expect(server.connections).toBe(3);
    await server.close();
    expect(server.connections).toBe(0);
    await Promise.all(channels.map((channel) => channel.close()));
    await allClosed();
  });

  test.each(["127.0.0.1", "[::1]"])("names a tcp peer on %s so that the address can be read again", async (host) => {
    await using server = serve().service(EchoService, {
      ...echoHandlers,
      echo: (_, { peer }) => ({ text: peer.address }),
    });
    await using channel = connect(await server.listen(`tcp://${host}:0`));
    const { text } = await createClient(EchoService, channel).echo({});
    expect(text.startsWith(`tcp://${host}:`)).toBe(true);
    await using back = connect(text);
    expect(back.target).toBe(text);
  });

  test.each([5, undefined, "unix:///a", {}])("attach refuses what is no stream: %s", (stream) => {
    expect(() => serve().attach(stream as never)).toThrow("attach() takes an open Duplex");
  });

  test("refuses bad addresses, and everything after close", async () => {
    const server = serve();
    expect(await failure(server.listen("nonsense"))).toMatchObject({ code: Code.InvalidArgument });
    await server.close();
    expect(await failure(server.listen("tcp://127.0.0.1:0"))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the server is closed",
    });
  });

  test("that is not done when the server is closed leaves nothing open", async () => {
    const allClosed = watchHandles();
    const server = serve();
    const listening = server.listen("tcp://127.0.0.1:0");
    await server.close();
    expect(await failure(listening)).toMatchObject({ code: Code.Unavailable });
    await allClosed();
  });

  test("refuses options that do not exist, and a switch that is none", () => {
    expect(() => serve({ limit: {} } as never)).toThrow('serve() has no option "limit"');
    expect(() => serve({ control: "off" as never })).toThrow("control must be true or false, not off");
  });

  test("refuses wrong limits", () => {
    expect(() => serve({ limits: { connections: 0 } })).toThrow(/the limit connections must be/);
  });
});

describe("attach", () => {
  test("serves any Duplex, and names its peer", async () => {
    const seen: unknown[] = [];
    const {
      server,
      peer,
      connect: open,
    } = start({
      echo(_, context) {
        seen.push(context.peer);
        return {};
      },
    });
    peer.send(requestFrame(1, "Echo"));
    await peer.next();
    const { peer: other, stream } = rawPair();
    server.attach(stream, { kind: "mine", address: "mine:1" });
    other.send(requestFrame(1, "Echo"));
    await other.next();
    expect(seen).toEqual([
      { kind: "duplex", address: "duplex:" },
      { kind: "mine", address: "mine:1" },
    ]);
    expect(server.connections).toBe(2);
    open().destroy();
    await turns();
    expect(server.connections).toBe(2);
  });

  test("destroys what comes after close", async () => {
    const { server, connect: open } = start();
    await server.close();
    const late = open();
    await late.closed;
    expect(server.connections).toBe(0);
  });
});

describe("close", () => {
  test("of a server that was never used, as often as it is called", async () => {
    const server = serve();
    const closing = server.close();
    expect(server.close({ graceMs: 5 })).toBe(closing);
    await closing;
    await server[Symbol.asyncDispose]();
  });

  test("ends idle connections at once", async () => {
    const { server, peer, connect: more } = start();
    const other = more();
    peer.send(requestFrame(1, "Echo"));
    await peer.next();
    const closing = server.close();
    await Promise.all([peer.closed, other.closed]);
    peer.end();
    other.end();
    await closing;
    expect(server.connections).toBe(0);
  });

  test("waits for what runs, refuses what comes, and answers both", async () => {
    const control = controlled();
    const { server, peer, clock } = start(control.handlers);
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "slow" }) }), requestFrame(3, "Chat", { flags: 6 }));
    await turns();
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    peer.send(requestFrame(5, "Echo"), dataFrame(3, "still"));
    expect((await peer.take(2)).map(say)).toEqual(["error 14 on 5: the server is shutting down", "data 3: still"]);
    await clock.elapse(4000);
    expect([closed, peer.isClosed]).toEqual([false, false]);
    peer.send(emptyData(3, 5));
    await turns();
    control.release();
    expect((await peer.take(2)).map(say).sort()).toEqual(["end 3", "response 1: slow"]);
    await peer.closed;
    peer.end();
    await closing;
  });

  test("waits for exactly one call in flight and nothing else", async () => {
    const control = controlled();
    const { server, peer } = start(control.handlers);
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "one" }) }));
    await turns();
    const closing = server.close();
    await turns();
    control.release();
    expect(say(await peer.next())).toBe("response 1: one");
    await peer.closed;
    peer.end();
    await closing;
  });

  test("always ends: after the grace signals fire and connections are cut", async () => {
    const { server, peer, clock } = start({ echo: () => new Promise(() => {}) });
    peer.send(requestFrame(1, "Echo"));
    await turns();
    const closing = server.close({ graceMs: 300 });
    await clock.elapse(299);
    expect(server.connections).toBe(1);
    await clock.elapse(1);
    await closing;
    await peer.closed;
    expect(await failure(peer.next())).toMatchObject({ message: expect.stringContaining("no further frame came") });
  });

  test("does not wait for a handler whose client was told the end already", async () => {
    const { server, peer, clock } = start({ echo: () => new Promise(() => {}) });
    peer.send(requestFrame(1, "Echo", { timeoutNano: 10_000_000n }));
    await turns();
    const closing = server.close({ graceMs: 1_000_000 });
    await clock.elapse(24);
    expect(say(await peer.next())).toBe("error 4 on 1: the deadline passed");
    await peer.closed;
    peer.end();
    await closing;
  });

  test("ends also where a client reads nothing and never closes its side", async () => {
    const { server, peer, clock } = start();
    peer.pause();
    peer.send(requestFrame(1, "Echo", { payload: echo({ payload: Buffer.alloc(1 << 20) }) }));
    await turns();
    const closing = server.close({ graceMs: 1000 });
    await clock.elapse(1000);
    await closing;
    expect(server.connections).toBe(0);
  });

  test("takes the socket file away and lets new clients find nobody", async () => {
    await using folder = await tempFolder();
    const server = serve().service(EchoService, echoHandlers);
    await server.listen(`unix:${folder.file("a.sock")}`);
    await using peer = await rawConnect(folder.file("a.sock"));
    peer.send(requestFrame(1, "Echo"));
    await peer.next();
    await server.close();
    await peer.closed;
    await expect(rawConnect(folder.file("a.sock"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
