// What happens to calls on a channel: waiting, deadlines, streams of requests.
import { fromBinary } from "@bufbuild/protobuf";
import { Code, createPushStream, RpcError } from "@guestwire/rpc";
import { rawFrame, turns } from "@guestwire/testkit";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../test/support/calling.js";
import { emptyData } from "../test/support/wire.js";

let calling: Calling;

afterEach(() => calling?.end());

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

const ok = (id: number) => rawFrame(id, 2, 0);

describe("calls that wait", () => {
  test.each([
    ["bound - 1", 2, 0],
    ["bound", 3, 0],
    ["bound + 1", 4, 1],
  ])("for their turn when connectionCalls run: %s", async (_, count, waiting) => {
    const { client, ...call } = start({ limits: { connectionCalls: 3 } });
    const calls = Array.from({ length: count }, () => client.echo({}));
    const peer = await call.peer();
    const sent = await peer.take(count - waiting);
    expect(await Promise.race([peer.next().then(() => "more"), turns().then(() => "silence")])).toBe("silence");
    for (const { id } of sent) peer.send(ok(id));
    // The frame that the race above waits for is given to it; what matters is that the call goes on.
    await turns();
    if (waiting > 0) peer.send(ok(2 * count - 1));
    await Promise.all(calls);
  });

  test("for their turn keep their order", async () => {
    const { client, ...call } = start({ limits: { connectionCalls: 1 } });
    const calls = ["a", "b", "c", "d"].map((text) => client.echo({ text }));
    const peer = await call.peer();
    const order: string[] = [];
    for (let i = 0; i < 4; i++) {
      const frame = await peer.next();
      order.push(frame.data.toString("latin1").slice(-1));
      peer.send(ok(frame.id));
    }
    await Promise.all(calls);
    expect(order).toEqual(["a", "b", "c", "d"]);
  });

  test.each([
    ["bound - 1", 1, false],
    ["bound", 2, false],
    ["bound + 1", 3, true],
  ])("are refused from waitingCalls on: %s", async (_, count, refused) => {
    const { client } = start({ limits: { waitingCalls: 2 } }, () => new Promise(() => {}));
    const control = new AbortController();
    const calls = Array.from({ length: count }, () => failure(client.echo({}, { signal: control.signal })));
    const last = await Promise.race([calls.at(-1), turns().then(() => undefined)]);
    if (refused)
      expect(last).toMatchObject({
        code: Code.ResourceExhausted,
        reason: "overflow",
        rawMessage: "2 calls are waiting already",
      });
    else expect(last).toBeUndefined();
    control.abort();
    await Promise.all(calls);
  });

  test("for the socket go on when it has taken everything at once", async () => {
    const { client, ...call } = start({ limits: { sendBytes: 1, streamSendBytes: 1 } });
    const requests = createPushStream<{ text: string }>();
    const responses = client.chat(requests);
    void Promise.all(["a", "b", "c"].map((text) => requests.push({ text })));
    const unary = client.echo({});
    const peer = await call.peer();
    const frames = await peer.take(5);
    expect(frames.map(({ id, type }) => [id, type])).toEqual(
      expect.arrayContaining([
        [1, 1],
        [1, 3],
        [1, 3],
        [1, 3],
        [3, 1],
      ]),
    );
    peer.send(ok(3), emptyData(1, 5));
    await unary;
    expect((await responses.next()).done).toBe(true);
  });
});

describe("a deadline", () => {
  const late = { code: Code.DeadlineExceeded, reason: "deadline", rawMessage: "the deadline passed" };

  test("counts while the connection is made", async () => {
    const { client, clock } = start({}, () => new Promise(() => {}));
    const call = failure(client.echo({}, { timeoutMs: 100 }));
    const stream = failure(client.split({}, { timeoutMs: 100 }).next());
    await clock.elapse(108);
    expect(await Promise.all([call, stream])).toMatchObject([late, late]);
  });

  test("counts while a call waits for its turn, and what is left is sent", async () => {
    const { client, clock, ...call } = start({ limits: { connectionCalls: 1 } });
    const first = client.echo({});
    const [second, third] = [failure(client.echo({}, { timeoutMs: 100 })), client.inspect({}, { timeoutMs: 1000 })];
    const peer = await call.peer();
    await peer.next();
    await clock.elapse(108);
    expect(await second).toMatchObject(late);
    peer.send(ok(1));
    await first;
    const { data } = await peer.next();
    // 892 ms are left, in nanoseconds, as field 4.
    expect(data.toString("hex")).toContain(`20${varint(892_000_000n)}`);
    peer.send(ok(3));
    await third;
  });

  test("counts while a call waits for its connection, and what is left is sent", async () => {
    const open = Promise.withResolvers<void>();
    const { client, clock, ...call } = start({}, () => open.promise);
    const calls = [client.echo({}, { timeoutMs: 1000 }), client.inspect({}), client.echo({}, { timeoutMs: 500 })];
    await clock.elapse(300);
    open.resolve();
    const peer = await call.peer();
    const left = (await peer.take(3)).map(({ data }) => fromBinary(RequestSchema, data).timeoutNano);
    expect(left).toEqual([700_000_000n, 0n, 200_000_000n]);
    peer.send(ok(1), ok(3), ok(5));
    await Promise.all(calls);
    // One that does not wait has all of its time.
    const last = client.echo({}, { timeoutMs: 500 });
    expect(fromBinary(RequestSchema, (await peer.next()).data).timeoutNano).toBe(500_000_000n);
    peer.send(ok(7));
    await last;
  });

  test("ends a call that is not answered, and a late answer is ignored", async () => {
    const { client, clock, ...call } = start({ timeoutMs: 50 });
    const first = failure(client.echo({}));
    const peer = await call.peer();
    await peer.next();
    await clock.elapse(58);
    expect(await first).toMatchObject({ ...late, method: "/guestwire.test.v1.EchoService/Echo" });
    peer.send(ok(1));
    const second = client.echo({});
    expect((await peer.next()).id).toBe(3);
    peer.send(ok(3));
    await second;
  });

  test("of the server looks the same to the caller", async () => {
    const { client, ...call } = start();
    const first = failure(client.echo({}, { timeoutMs: 1000 }));
    const peer = await call.peer();
    peer.send(rawFrame(1, 2, 0, "0a020804"));
    expect(await first).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
  });

  test("of 0 or Infinity is none", async () => {
    const { client, clock, ...call } = start();
    const calls = [client.echo({}, { timeoutMs: 0 }), client.echo({}, { timeoutMs: Number.POSITIVE_INFINITY })];
    const peer = await call.peer();
    await peer.take(2);
    await clock.elapse(1e9);
    peer.send(ok(1), ok(3));
    await Promise.all(calls);
  });

  test.each([-1, Number.NaN, "5", null])("of %s is refused", async (timeoutMs) => {
    const { client } = start();
    const options = { timeoutMs: timeoutMs as number };
    for (const call of [client.echo({}, options), client.split({}, options).next()]) {
      expect(await failure(call)).toMatchObject({ code: Code.InvalidArgument });
    }
    expect(() => startCalling(options)).toThrow(RpcError);
  });
});

describe("requests", () => {
  test("that cannot be encoded fail their call alone", async () => {
    const { client, ...call } = start();
    const wrong = { number: "x" as unknown as bigint };
    expect(await failure(client.echo(wrong))).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("number"),
    });
    const stream = failure(client.join([{ text: "a" }, wrong]));
    expect(await stream).toMatchObject({ code: Code.InvalidArgument });
    const good = client.echo({});
    const peer = await call.peer();
    expect((await peer.take(4)).map(({ id, type, flags }) => [id, type, flags])).toEqual([
      [1, 1, 6],
      [1, 3, 0],
      [1, 3, 6],
      [3, 1, 0],
    ]);
    peer.send(ok(3));
    await good;
  });

  test.each([
    ["bound - 1", -1, false],
    ["bound", 0, false],
    ["bound + 1", 1, true],
  ])("of a stream may have messageBytes: %s", async (_, more, refused) => {
    const { client, ...call } = start({ limits: { messageBytes: 1000 } });
    const requests = client.join([{ payload: Buffer.alloc(1000 - 3 + more) }]);
    const outcome = requests.then(
      () => "answered",
      (error: RpcError) => [error.code, error.reason, error.rawMessage],
    );
    const peer = await call.peer();
    await peer.next();
    const frame = await peer.next();
    if (refused) {
      expect(frame).toEqual(rawFrame(1, 3, 6, "00"));
      expect(await outcome).toEqual([8, "oversize", "the message takes 1001 bytes; the limit is 1000"]);
    } else {
      expect(frame.data).toHaveLength(1000 + more);
      peer.send(ok(1));
      expect(await outcome).toBe("answered");
    }
  });

  test("whose source fails, fail the call with that error as the cause", async () => {
    const { client, ...call } = start();
    const broken = new Error("disk full");
    const source = async function* () {
      yield { text: "a" };
      throw broken;
    };
    const error = await failure(client.join(source()));
    expect(error).toMatchObject({ code: Code.Unknown, rawMessage: "the stream of requests failed: disk full" });
    expect(error.cause).toBe(broken);
    const peer = await call.peer();
    expect((await peer.take(3)).map(({ type, flags }) => [type, flags])).toEqual([
      [1, 6],
      [3, 0],
      [3, 6],
    ]);
  });

  test.each([undefined, null])("whose source throws %s, fail the call all the same", async (thrown) => {
    const { client } = start();
    const fail = (): never => {
      throw thrown;
    };
    const sources: (() => AsyncIterable<object> | Iterable<object>)[] = [
      () => ({ [Symbol.asyncIterator]: fail }),
      () => ({ [Symbol.iterator]: fail }),
      () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) }),
      async function* () {
        yield { text: "a" };
        fail();
      },
      function* () {
        yield { text: "a" };
        fail();
      },
    ];
    const expected = { code: Code.Unknown, rawMessage: `the stream of requests failed: ${thrown} was thrown` };
    for (const source of sources) {
      expect(await failure(client.join(source()))).toMatchObject(expected);
      expect(await failure(client.chat(source()).next())).toMatchObject(expected);
    }
  });

  test.each([undefined, null, 5, {}])("that are %s are no stream", async (requests) => {
    const { client } = start();
    expect(await failure(client.join(requests as never))).toMatchObject({ code: Code.InvalidArgument });
  });

  test("metadata that cannot be sent is refused", async () => {
    const { client } = start();
    expect(await failure(client.echo({}, { metadata: { "a b": "x" } }))).toMatchObject({ code: Code.InvalidArgument });
    expect(await failure(client.split({}, { metadata: { "a b": "x" } }).next())).toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  test("of a source that never ends are not asked for once the call is over", async () => {
    const { client, ...call } = start();
    let given = 0;
    let left = false;
    const source = function* () {
      try {
        for (;;) yield { number: BigInt(given++) };
      } finally {
        left = true;
      }
    };
    const reply = client.join(source());
    const peer = await call.peer();
    await peer.take(2000);
    peer.send(ok(1));
    await reply;
    expect(left).toBe(true);
    const after = given;
    await turns();
    expect(given).toBe(after);
  });
});

/** A varint in hexadecimal. */
function varint(value: bigint): string {
  const bytes: number[] = [];
  for (; value > 0x7fn; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(value)]).toString("hex");
}
