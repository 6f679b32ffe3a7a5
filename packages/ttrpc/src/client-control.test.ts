// What a client says by guestwire.control.v1, to a raw server whose every frame is seen: when, how often, and never again.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@guestwire/rpc";
import { rawFrame, turns } from "@guestwire/testkit";
import { CancelRequestSchema, Feature, HelloRequestSchema, HelloResponseSchema } from "@guestwire/types/control";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../test/support/calling.js";
import { emptyData, errorFrame, responseFrame } from "../test/support/wire.js";

let calling: Calling;

afterEach(() => calling?.end());

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

/** What a request frame asks for. */
function asked({ id, data }: { id: number; data: Buffer }): { id: number; call: string; payload: Uint8Array } {
  const { service, method, payload } = fromBinary(RequestSchema, data);
  return { id, call: `${service.split(".").at(-1)}/${method}`, payload };
}

/** Makes a unary call and cancels it once the server has it. */
async function cancelOne({ client, peer }: Calling): Promise<number> {
  const control = new AbortController();
  const call = failure(client.echo({}, control));
  const { id } = await (await peer()).next();
  control.abort();
  expect(await call).toMatchObject({ code: Code.Canceled });
  return id;
}

const unknown = (id: number) => errorFrame(id, Code.Unimplemented, "service guestwire.control.v1.ControlService");

describe("a canceled unary call", () => {
  test("is told to a server that knows how, each one", async () => {
    const it = start();
    for (const _ of [1, 2]) {
      const canceled = await cancelOne(it);
      const peer = await it.peer();
      const { id, call, payload } = asked(await peer.next());
      expect(call).toBe("ControlService/Cancel");
      expect(fromBinary(CancelRequestSchema, payload).streamId).toBe(canceled);
      peer.send(responseFrame(id, new Uint8Array(0)));
    }
  });

  test.each([Code.Unimplemented, Code.InvalidArgument, Code.Unknown])(
    "is not told again to a server that answered %i",
    async (code) => {
      const it = start();
      await cancelOne(it);
      const peer = await it.peer();
      peer.send(errorFrame(asked(await peer.next()).id, code, "no such service"));
      await cancelOne(it);
      await cancelOne(it);
      // The next frame is the next call, nothing in between.
      const last = it.client.echo({});
      const { id, call } = asked(await peer.next());
      expect(call).toBe("EchoService/Echo");
      peer.send(responseFrame(id, new Uint8Array(0)));
      await last;
    },
  );

  test("waits for the first answer before a second question; then all go, or none", async () => {
    for (const known of [true, false]) {
      const it = start();
      const peer = await cancelOne(it).then(() => it.peer());
      const first = asked(await peer.next());
      const others = [await cancelOne(it), await cancelOne(it)];
      peer.send(known ? responseFrame(first.id, new Uint8Array(0)) : unknown(first.id));
      await turns();
      const last = it.client.echo({});
      const seen = [];
      for (;;) {
        const one = asked(await peer.next());
        seen.push(one.call);
        peer.send(responseFrame(one.id, new Uint8Array(0)));
        if (one.call === "EchoService/Echo") break;
      }
      await last;
      const told = known ? others.map(() => "ControlService/Cancel") : [];
      expect(seen).toEqual([...told, "EchoService/Echo"]);
      await it.end();
    }
  });

  test("says nothing of one that was never sent, failed, or passed its deadline", async () => {
    const it = start();
    const { client, clock } = it;
    const late = failure(client.echo({}, { timeoutMs: 100 }));
    const peer = await it.peer();
    await peer.next();
    await clock.elapse(200);
    expect(await late).toMatchObject({ code: Code.DeadlineExceeded });
    const failed = failure(client.echo({}));
    peer.send(emptyData((await peer.next()).id, 0));
    expect(await failed).toMatchObject({ code: Code.Internal });
    await failure(client.echo({}, { signal: AbortSignal.abort() }));
    const last = client.echo({});
    const { id, call } = asked(await peer.next());
    expect(call).toBe("EchoService/Echo");
    peer.send(responseFrame(id, new Uint8Array(0)));
    await last;
  });

  test("is asked anew on a new connection", async () => {
    const it = start();
    await cancelOne(it);
    const before = await it.peer();
    before.send(unknown(asked(await before.next()).id));
    await turns();
    before.destroy();
    await turns();
    await cancelOne(it);
    expect(asked(await (await it.peer()).next()).call).toBe("ControlService/Cancel");
  });
});

describe("response metadata", () => {
  const ignore = (): void => {};

  test("are asked for once, in front of the first call that wants them", async () => {
    const it = start();
    const plain = it.client.echo({});
    const peer = await it.peer();
    peer.send(responseFrame(asked(await peer.next()).id, new Uint8Array(0)));
    await plain;
    const first = it.client.echo({}, { onTrailer: ignore });
    const hello = asked(await peer.next());
    expect(hello.call).toBe("ControlService/Hello");
    expect(fromBinary(HelloRequestSchema, hello.payload).features).toEqual([Feature.RESPONSE_METADATA]);
    const answer = toBinary(HelloResponseSchema, fromBinary(HelloResponseSchema, hello.payload));
    const echo = asked(await peer.next());
    peer.send(responseFrame(hello.id, answer), responseFrame(echo.id, new Uint8Array(0)));
    await first;
    const second = it.client.echo({}, { onHeader: ignore });
    const next = asked(await peer.next());
    expect(next.call).toBe("EchoService/Echo");
    peer.send(responseFrame(next.id, new Uint8Array(0)));
    await second;
  });

  test("of a server that has none are never told, and it is not asked again", async () => {
    const it = start();
    let told = 0;
    const options = { onHeader: () => void told++, onTrailer: () => void told++ };
    for (const calls of [["ControlService/Hello", "EchoService/Echo"], ["EchoService/Echo"]]) {
      const call = it.client.echo({}, options);
      const peer = await it.peer();
      for (const name of calls) {
        const { id, call: seen } = asked(await peer.next());
        expect(seen).toBe(name);
        peer.send(name.startsWith("Control") ? unknown(id) : responseFrame(id, new Uint8Array(0)));
      }
      await call;
    }
    expect(told).toBe(0);
  });

  test("that cannot be read fail their call", async () => {
    const it = start();
    const call = failure(it.client.echo({}, { onTrailer: ignore }));
    const peer = await it.peer();
    const hello = asked(await peer.next());
    const { id } = await peer.next();
    // A status with nothing but a detail of that type, whose value is no message.
    const type = Buffer.from("x/guestwire.control.v1.ResponseMetadata");
    const detail = Buffer.concat([Buffer.from([0x0a, type.length]), type, Buffer.from([0x12, 0x01, 0xff])]);
    const status = Buffer.concat([Buffer.from([0x1a, detail.length]), detail]);
    const data = Buffer.concat([Buffer.from([0x0a, status.length]), status]);
    peer.send(responseFrame(hello.id, Buffer.from(hello.payload)), rawFrame(id, 2, 0, data));
    expect(await call).toMatchObject({
      code: Code.Internal,
      reason: "protocol",
      rawMessage: expect.stringContaining("the response's metadata cannot be read"),
    });
  });
});

describe("keepalive", () => {
  const keepalive = { timeMs: 1000, timeoutMs: 500 };

  test("asks when nothing came for a while, and closes the connection of a server that is gone", async () => {
    const it = start({ keepalive });
    const call = failure(it.client.echo({}));
    const peer = await it.peer();
    await peer.next();
    await it.clock.elapse(1000);
    expect(asked(await peer.next()).call).toBe("ControlService/Ping");
    await it.clock.elapse(500);
    expect(await call).toMatchObject({
      code: Code.Unavailable,
      reason: "connection_closed",
      rawMessage: "the server has not answered a ping within 500 ms",
    });
    await peer.closed;
  });

  test("is content with any sign of life, and asks again after the next silence", async () => {
    const it = start({ keepalive });
    const call = it.client.echo({});
    const peer = await it.peer();
    const { id } = await peer.next();
    for (let i = 0; i < 3; i++) {
      await it.clock.elapse(1000);
      const ping = asked(await peer.next());
      expect(ping.call).toBe("ControlService/Ping");
      peer.send(responseFrame(ping.id, new Uint8Array(0)));
      await turns();
    }
    peer.send(responseFrame(id, new Uint8Array(0)));
    await call;
  });

  test("asks again after the interval where the answer may take longer than that", async () => {
    const it = start({ keepalive: { timeMs: 100, timeoutMs: 60_000 } });
    const call = it.client.echo({});
    const peer = await it.peer();
    const { id } = await peer.next();
    const began = it.clock.now();
    for (let i = 0; i < 3; i++) {
      await it.clock.elapse(100);
      const ping = asked(await peer.next());
      expect([ping.call, it.clock.now() - began]).toEqual(["ControlService/Ping", 100 * (i + 1)]);
      peer.send(responseFrame(ping.id, new Uint8Array(0)));
      await turns();
    }
    peer.send(responseFrame(id, new Uint8Array(0)));
    await call;
  });

  test.each([
    ["ours", 1],
    ["any", 3],
  ] as const)("asks servers of others for peers: %s", async (peers, times) => {
    const it = start({ keepalive: { ...keepalive, peers } });
    const call = it.client.echo({});
    const peer = await it.peer();
    const { id } = await peer.next();
    for (let i = 0; i < times; i++) {
      await it.clock.elapse(1000);
      const ping = asked(await peer.next());
      expect(ping.call).toBe("ControlService/Ping");
      peer.send(unknown(ping.id));
      await turns();
    }
    await it.clock.elapse(peers === "ours" ? 100_000 : 500);
    peer.send(responseFrame(id, new Uint8Array(0)));
    await call;
  });

  test.each([
    [false, 0],
    [true, 1],
  ])("without calls: withoutCalls %s", async (withoutCalls, pings) => {
    const it = start({ keepalive: { ...keepalive, withoutCalls } });
    const call = it.client.echo({});
    const peer = await it.peer();
    peer.send(responseFrame((await peer.next()).id, new Uint8Array(0)));
    await call;
    const before = peer.receivedBytes;
    await it.clock.elapse(1200);
    await turns();
    expect(peer.receivedBytes > before ? 1 : 0).toBe(pings);
  });

  test.each([
    [{ timeMs: 0 }, "keepalive.timeMs must be a number of milliseconds above 0, not 0"],
    [{ timeMs: 1, timeoutMs: -1 }, "keepalive.timeoutMs must be a number of milliseconds above 0, not -1"],
    [{ timeMs: 1, peers: "all" as never }, 'keepalive.peers must be "ours" or "any", not "all"'],
  ])("%j is refused by name", (keepalive, message) => {
    expect(() => startCalling({ keepalive })).toThrow(message);
  });
});
