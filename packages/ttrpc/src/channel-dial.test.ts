// How a channel gets its connections: lazily, one for all calls, again when it was lost.
import { Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { EchoService, rawFrame, rawPair, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../test/support/calling.js";
import { dataFrame, emptyData } from "../test/support/wire.js";
import { connect } from "./channel.js";

let calling: Calling;

afterEach(() => calling?.end());

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

const refusal = () => Object.assign(new Error("connect ENOENT /run/vm.sock"), { code: "ENOENT" });
const ok = (id: number) => rawFrame(id, 2, 0);

describe("a connection", () => {
  test("is made when the first call needs it, and shared by all", async () => {
    const { client, peers, ...call } = start();
    await turns();
    expect(peers).toHaveLength(0);
    const calls = [client.echo({}), client.echo({}), client.split({}).next()];
    const peer = await call.peer();
    await peer.take(3);
    peer.send(ok(1), ok(3), emptyData(5, 5));
    await Promise.all(calls);
    const later = client.echo({});
    await peer.next();
    peer.send(ok(7));
    await later;
    expect(peers).toHaveLength(1);
  });

  test("that is lost fails its calls, and the next call makes a new one; nothing is sent twice", async () => {
    const { client, peers, clock, ...call } = start();
    const calls = [
      failure(client.echo({ text: "a" })),
      failure(client.chat(createPushStream<{ text: string }>()).next()),
    ];
    const first = await call.peer();
    await first.take(2);
    first.destroy();
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    }
    const again = client.echo({ text: "b" });
    await clock.elapse(20);
    const second = await call.peer();
    expect(peers).toHaveLength(2);
    expect((await second.next()).id).toBe(1);
    second.send(ok(1));
    await again;
    expect(await Promise.race([second.next(), turns().then(() => "silence")])).toBe("silence");
  });

  test("queued responses are read to the end before the loss is seen", async () => {
    const { client, ...call } = start();
    const responses = client.split({ count: 2 });
    const peer = await call.peer();
    await peer.next();
    peer.send(dataFrame(1, "a"), dataFrame(1, "b"));
    peer.end();
    await turns();
    expect((await responses.next()).value?.text).toBe("a");
    expect((await responses.next()).value?.text).toBe("b");
    expect(await failure(responses.next())).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    expect(await responses.next()).toEqual({ done: true, value: undefined });
  });

  test("whose ids are used up is replaced, and its last calls finish", async () => {
    const { client, peers, ...call } = start({}, undefined, 0xffff_fffd);
    const calls = [client.echo({ text: "a" }), client.echo({ text: "b" }), client.echo({ text: "c" })];
    await turns();
    const [first, second] = peers as [(typeof peers)[0], (typeof peers)[0]];
    expect((await first.take(2)).map(({ id }) => id)).toEqual([0xffff_fffd, 0xffff_ffff]);
    expect((await second.next()).id).toBe(0xffff_fffd);
    second.send(ok(0xffff_fffd));
    first.send(ok(0xffff_ffff), ok(0xffff_fffd));
    await Promise.all(calls);
    await first.closed;
    expect([second.isClosed, (await call.peer()) === second]).toEqual([false, true]);
  });

  // Found by the simulator: the hello took the last id, and the call behind it went out with 4294967297, which is 1.
  test("with one id left gives it to a call, and says no hello in front of it", async () => {
    const { client, ...call } = start({}, undefined, 0xffff_ffff);
    const answer = client.echo({ text: "a" }, { onTrailer: () => {} });
    const peer = await call.peer();
    const request = await peer.next();
    expect([request.id, request.type, request.data.includes("EchoService")]).toEqual([0xffff_ffff, 1, true]);
    peer.send(ok(0xffff_ffff));
    await answer;
  });

  test("closing with grace waits for the calls of a replaced connection, and no longer", async () => {
    const { client, clock, channel, peers } = start({}, undefined, 0xffff_ffff);
    const calls = [client.echo({ text: "a" }), client.echo({ text: "b" })];
    await turns();
    const [first, second] = peers as [(typeof peers)[0], (typeof peers)[0]];
    let closed = false;
    const closing = channel.close({ graceMs: 60_000 }).then(() => {
      closed = true;
    });
    second.send(ok(0xffff_ffff));
    await turns();
    expect(closed).toBe(false);
    first.send(ok(0xffff_ffff));
    await Promise.all(calls);
    for (const peer of peers) {
      await peer.closed;
      peer.end();
    }
    await clock.elapse(100);
    await closing;
    expect(closed).toBe(true);
  });
});

describe("attempts to connect", () => {
  const refuse = (): never => {
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  };

  test("that fail, fail the calls that wait", async () => {
    const { client } = start({}, refuse);
    const errors = await Promise.all([failure(client.echo({})), failure(client.split({}).next())]);
    for (const error of errors) {
      expect(error).toMatchObject({
        code: Code.Unavailable,
        reason: "connect_failed",
        rawMessage: "cannot connect to raw:: connect ECONNREFUSED",
        peer: "raw:",
      });
      expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
    }
  });

  test("come after growing pauses, up to the longest", async () => {
    const times: number[] = [];
    const { client, clock } = start({ waitForReady: true, backoff: { initialMs: 100, maxMs: 450 } }, () => {
      times.push(clock.now());
      refuse();
    });
    const call = failure(client.echo({}, { timeoutMs: 2500 }));
    await clock.elapse(2600);
    expect(await call).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    const pauses = times.slice(1).map((at, i) => at - (times[i] as number));
    for (const [i, longest] of [100, 200, 400, 450, 450, 450].entries()) {
      expect(pauses[i]).toBeGreaterThanOrEqual(longest * 0.8 - 0.001);
      expect(pauses[i]).toBeLessThanOrEqual(longest + 0.001);
    }
  });

  test("do not come more often because more calls are made", async () => {
    let attempts = 0;
    const { client, clock } = start({ backoff: { initialMs: 100 } }, () => {
      attempts++;
      refuse();
    });
    await failure(client.echo({}));
    const calls = Array.from({ length: 10 }, () => failure(client.echo({})));
    await turns();
    expect(attempts).toBe(1);
    await clock.elapse(100);
    await Promise.all(calls);
    expect(attempts).toBe(2);
  });

  test("begin anew with short pauses once a server has answered", async () => {
    const times: number[] = [];
    let up = false;
    const { client, clock, ...call } = start({ waitForReady: true, backoff: { initialMs: 10, maxMs: 1000 } }, () => {
      times.push(clock.now());
      if (!up) refuse();
    });
    const first = client.echo({});
    await clock.elapse(500);
    up = true;
    await clock.elapse(1000);
    const peer = await call.peer();
    await peer.next();
    peer.send(ok(1));
    await first;
    up = false;
    peer.destroy();
    await turns();
    times.length = 0;
    const second = failure(client.echo({}, { timeoutMs: 100 }));
    await clock.elapse(110);
    await second;
    expect((times[1] as number) - (times[0] as number)).toBeLessThanOrEqual(10);
  });

  test("succeed in the end for calls that wait until there is a connection", async () => {
    const { client, clock, ...call } = start({ waitForReady: true }, (attempt) => attempt < 3 && refuse());
    const answer = client.echo({});
    await clock.elapse(1000);
    const peer = await call.peer();
    await peer.next();
    peer.send(ok(1));
    await answer;
  });

  test("are what a call says that waited for its whole time, until there was a connection", async () => {
    const refused = refusal();
    const { client, clock, peers, ...call } = start({ waitForReady: true }, (attempt) => {
      if (attempt < 5) throw refused;
    });
    const stream = failure(client.split({}, { timeoutMs: 100 }).next());
    const late = failure(client.echo({}, { timeoutMs: 100 }));
    await clock.elapse(200);
    expect(peers).toHaveLength(0);
    for (const error of [await late, await stream]) {
      expect(error).toMatchObject({
        code: Code.DeadlineExceeded,
        reason: "deadline",
        rawMessage: "the deadline passed while connecting to raw:: connect ENOENT /run/vm.sock",
        cause: refused,
      });
    }
    const sent = failure(client.echo({}, { timeoutMs: 2000 }));
    await clock.elapse(1500);
    await (await call.peer()).next();
    await clock.elapse(1000);
    const { rawMessage, cause } = await sent;
    expect([rawMessage, cause]).toEqual(["the deadline passed", undefined]);
  });

  test("that can never succeed fail also the calls that would wait", async () => {
    const { client } = start({ waitForReady: true }, () => {
      throw new RpcError(Code.PermissionDenied, "not you");
    });
    expect(await failure(client.echo({}))).toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: "cannot connect to raw:: not you",
      reason: "connect_failed",
    });
  });

  test.each(["EACCES", "ERR_VSOCK_HYBRID_REPLY"])("that no waiting mends do so, too: %s", async (code) => {
    const { client } = start({ waitForReady: true }, () => {
      throw Object.assign(new Error(`connect ${code}`), { code });
    });
    expect(await failure(client.echo({}))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: `cannot connect to raw:: connect ${code}`,
      reason: "connect_failed",
    });
  });

  test("whose own tries were in vain are made again for calls that wait", async () => {
    const { client, clock, ...call } = start({ waitForReady: true }, (attempt) => {
      if (attempt < 3) throw new RpcError(Code.DeadlineExceeded, "7 attempts", { reason: "deadline" });
    });
    const answer = client.echo({});
    await clock.elapse(1000);
    const peer = await call.peer();
    await peer.next();
    peer.send(ok(1));
    await answer;
  });

  test("end after connectTimeoutMs, and a connection that comes later is closed", async () => {
    const slow = Promise.withResolvers<void>();
    const { client, clock, peers } = start({ connectTimeoutMs: 700 }, () => slow.promise);
    const call = failure(client.echo({}));
    await clock.elapse(699);
    expect(await Promise.race([call, "waits"])).toBe("waits");
    await clock.elapse(1);
    expect(await call).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "cannot connect to raw:: no connection within 700 ms",
    });
    slow.resolve();
    await turns();
    expect(peers).toHaveLength(1);
    await peers[0]?.closed;
  });

  test("to a server that accepts and closes come after pauses as well", async () => {
    const { client, clock, peers } = start({ backoff: { initialMs: 100, maxMs: 100 } });
    for (let i = 1; i <= 3; i++) {
      const call = failure(client.echo({}));
      await clock.elapse(100);
      expect(peers).toHaveLength(i);
      peers[i - 1]?.destroy();
      expect(await call).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
      const next = failure(client.echo({}, { timeoutMs: 50 }));
      await clock.elapse(58);
      expect((await next).code).toBe(Code.DeadlineExceeded);
      expect(peers).toHaveLength(i);
      await clock.elapse(100);
    }
  });

  test("that give a stream which has ended already fail, and do not keep the process busy", async () => {
    let opened = 0;
    const channel = connect(() => {
      opened++;
      const { stream } = rawPair();
      stream.destroy();
      return stream;
    });
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
    expect(opened).toBe(1);
    await channel.close();
  });

  test("of a Duplex that was given happen once", async () => {
    const { peer, stream } = rawPair();
    const channel = connect(stream);
    const client = createClient(EchoService, channel);
    const first = client.echo({});
    await peer.next();
    peer.send(ok(1));
    await first;
    peer.destroy();
    await turns();
    expect(await failure(client.echo({}))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "cannot connect to duplex:: the stream given to connect() has ended and cannot be opened again",
    });
    await channel.close();
  });
});
