// The life of a channel: its options, its end, and the one that stays inside the process.
import { fromBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, FakeClock, rawFrame, turns } from "@guestwire/testkit";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../test/support/calling.js";
import { responseFrame } from "../test/support/wire.js";
import { connect } from "./channel.js";
import type { ConnectOptions } from "./connect-options.js";
import { connectInProcess } from "./in-process.js";
import { serve, TtrpcServer } from "./server.js";

let calling: Calling;

afterEach(() => calling?.end());

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

const ok = (id: number) => rawFrame(id, 2, 0);

describe("close", () => {
  test("of a channel that was never used resolves, as often as it is called", async () => {
    const { channel } = start();
    const closing = channel.close();
    expect(channel.close({ graceMs: 5 })).toBe(closing);
    await closing;
    await channel[Symbol.asyncDispose]();
  });

  test("cancels what runs and what waits, and refuses what comes", async () => {
    const { client, channel, ...call } = start({ limits: { connectionCalls: 2 } });
    const calls = [client.echo({}), client.split({}).next(), client.echo({}), client.split({}).next()].map(failure);
    const peer = await call.peer();
    await peer.take(2);
    const closing = channel.close();
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: Code.Canceled, reason: "canceled", rawMessage: "the channel was closed" });
    }
    await peer.closed;
    peer.end();
    await closing;
    for (const late of [client.echo({}), client.split({}).next()]) {
      expect(await failure(late)).toMatchObject({
        code: Code.Unavailable,
        reason: "connection_closed",
        rawMessage: "the channel is closed",
      });
    }
  });

  test("with grace waits for running calls and refuses new ones", async () => {
    const { client, channel, clock, ...call } = start();
    const running = client.echo({});
    const peer = await call.peer();
    await peer.next();
    let closed = false;
    const closing = channel.close({ graceMs: 1000 }).then(() => {
      closed = true;
    });
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unavailable });
    await clock.elapse(500);
    expect([closed, peer.isClosed]).toEqual([false, false]);
    peer.send(ok(1));
    await running;
    await peer.closed;
    peer.end();
    await closing;
  });

  test("with grace lets calls that wait for a connection have one", async () => {
    const go = Promise.withResolvers<void>();
    const { client, channel, ...call } = start({}, () => go.promise);
    const waiting = client.echo({});
    const closing = channel.close({ graceMs: 1000 });
    go.resolve();
    const peer = await call.peer();
    await peer.next();
    peer.send(ok(1));
    await waiting;
    await peer.closed;
    peer.end();
    await closing;
  });

  test("after the grace cancels what is left", async () => {
    const { client, channel, clock, ...call } = start();
    const running = failure(client.echo({}));
    const peer = await call.peer();
    const closing = channel.close({ graceMs: 1000 });
    await clock.elapse(1000);
    expect(await running).toMatchObject({ code: Code.Canceled, reason: "canceled" });
    peer.end();
    await closing;
  });

  test("ends also where the server never closes its side", async () => {
    const { client, channel, clock, ...call } = start();
    const running = failure(client.echo({}));
    await call.peer();
    let closed = false;
    const closing = channel.close().then(() => {
      closed = true;
    });
    await running;
    await clock.elapse(5000);
    await closing;
    expect(closed).toBe(true);
  });

  test("while a connection is made gives it up", async () => {
    const go = Promise.withResolvers<void>();
    const { client, channel, peers } = start({}, () => go.promise);
    const waiting = failure(client.echo({}));
    await turns();
    await channel.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled });
    go.resolve();
    await turns();
    await peers[0]?.closed;
  });

  test("while the channel pauses between attempts ends the pause", async () => {
    const { client, channel, clock } = start({ waitForReady: true, backoff: { initialMs: 1000 } }, () => {
      throw new Error("refused");
    });
    const waiting = failure(client.echo({}));
    await turns();
    await channel.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled });
    await turns();
    expect(clock.pending).toBe(0);
  });
});

describe("options", () => {
  test.each<[ConnectOptions, string]>([
    [{ connectTimeoutMs: 0 }, "connectTimeoutMs must be a number of milliseconds above 0, not 0"],
    [{ connectTimeoutMs: Number.NaN }, "connectTimeoutMs must be a number of milliseconds above 0, not NaN"],
    [{ backoff: { initialMs: -1 } }, "backoff.initialMs must be a number of milliseconds above 0, not -1"],
    [{ backoff: { maxMs: "5" as never } }, "backoff.maxMs must be a number of milliseconds above 0, not 5"],
    [{ limits: { stallMs: 0 } }, "the limit stallMs must be a whole number from 1 on, not 0"],
    [{ timeout: 5 } as never, 'connect() has no option "timeout"'],
    [{ backoff: { firstMs: 5 } as never }, 'backoff has no option "firstMs"'],
    [{ keepalive: { timeMs: 5, intervalMs: 5 } as never }, 'keepalive has no option "intervalMs"'],
    [{ keepalive: { timeMs: 5, withoutCalls: "no" as never } }, "keepalive.withoutCalls must be true or false, not no"],
    [{ waitForReady: "yes" as never }, "waitForReady must be true or false, not yes"],
    [{ control: 1 as never }, "control must be true or false, not 1"],
    [null as never, "the options of connect() must be an object, not null"],
  ])("%j are refused", (options, message) => {
    expect(() => connect("unix:///nowhere", options)).toThrow(message);
  });

  test("defaults of the channel and interceptors hold for its calls", async () => {
    const { client, ...call } = start({
      metadata: { a: "1" },
      interceptors: [(next) => async (info) => next({ ...info, metadata: info.metadata.append("b", "2") })],
    });
    const answer = client.echo({ text: "x" }, { metadata: { c: "3" } });
    const peer = await call.peer();
    const { metadata } = fromBinary(RequestSchema, (await peer.next()).data);
    expect(metadata.map(({ key, value }) => key + value)).toEqual(["a1", "c3", "b2"]);
    peer.send(responseFrame(1, Buffer.alloc(0)));
    await answer;
  });
});

describe("connectInProcess", () => {
  test("talks to a server of the same process over frames", async () => {
    const clock = new FakeClock();
    const server = new TtrpcServer({}, clock).service(EchoService, echoHandlers);
    const channel = connectInProcess(server);
    const client = createClient(EchoService, channel);
    expect(channel.target).toBe("in-process:");
    expect((await client.echo({ text: "a" })).text).toBe("a");
    expect((await client.join([{ text: "a" }, { text: "b" }])).text).toBe("ab");
    expect(await Array.fromAsync(client.split({ count: 3 }), ({ number }) => number)).toEqual([0n, 1n, 2n]);
    expect(await Array.fromAsync(client.chat([{ text: "x" }]), ({ text }) => text)).toEqual(["x"]);
    expect((await client.inspect({})).peerKind).toBe("in-process");
    expect(await failure(client.fail({ code: 5, message: "gone", detail: "d" }))).toMatchObject({
      code: 5,
      rawMessage: "gone",
    });
    expect(server.connections).toBe(1);
    await channel.close();
    await server.close();
    await turns();
    expect([server.connections, clock.pending]).toEqual([0, 0]);
  });

  test("fails calls to a server that has closed", async () => {
    const server = serve().service(EchoService, echoHandlers);
    await server.close();
    const channel = connectInProcess(server);
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject({ code: Code.Unavailable });
    await channel.close();
  });

  test("takes only what serve() made", () => {
    expect(() => connectInProcess({} as never)).toThrow("connectInProcess() takes what serve() gave");
  });
});
