// Calls that their caller gives up: by a signal, or by leaving a stream early.
import { fromBinary } from "@bufbuild/protobuf";
import { Code, createPushStream } from "@guestwire/rpc";
import { type RawFrame, rawFrame, turns } from "@guestwire/testkit";
import { CancelRequestSchema } from "@guestwire/types/control";
import { RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../test/support/calling.js";
import { dataFrame, emptyData } from "../test/support/wire.js";

let calling: Calling;

afterEach(() => calling?.end());

function start(...given: Parameters<typeof startCalling>): Calling {
  calling = startCalling(...given);
  return calling;
}

const ok = (id: number) => rawFrame(id, 2, 0);

/** The stream that this call of guestwire.control.v1, the connection's second call, cancels. */
function canceledBy({ id, type, data }: RawFrame): number {
  const { service, method, payload } = fromBinary(RequestSchema, data);
  expect([id, type, service, method]).toEqual([3, 1, "guestwire.control.v1.ControlService", "Cancel"]);
  return fromBinary(CancelRequestSchema, payload).streamId;
}

describe("a signal", () => {
  const canceled = { code: Code.Canceled, reason: "canceled", rawMessage: "the call was canceled: enough" };
  const enough = new Error("enough");

  test("that has fired makes no call", async () => {
    const { client, peers } = start();
    const options = { signal: AbortSignal.abort(enough) };
    for (const call of [client.echo({}, options), client.split({}, options).next()]) {
      const error = await failure(call);
      expect(error).toMatchObject(canceled);
      expect(error.cause).toBe(enough);
    }
    await turns();
    expect(peers).toHaveLength(0);
  });

  test.each([
    ["while the connection is made", {}, true],
    ["while a call waits for its turn", { limits: { connectionCalls: 1 } }, false],
  ])("ends a call %s", async (_, options, stuck) => {
    const { client, ...call } = start(options, () => (stuck ? new Promise(() => {}) : undefined));
    const blocking = failure(client.echo({}));
    const control = new AbortController();
    const calls = [client.echo({}, control), client.split({}, control).next()].map(failure);
    await turns();
    control.abort(enough);
    expect(await Promise.all(calls)).toMatchObject([canceled, canceled]);
    if (stuck) return void calling.channel.close();
    const peer = await call.peer();
    expect((await peer.next()).id).toBe(1);
    peer.destroy();
    await blocking;
  });

  test("ends a unary call without a word to the server where that is not wanted; its answer is then ignored", async () => {
    const { client, ...call } = start({ control: false });
    const control = new AbortController();
    const first = failure(client.echo({}, control));
    const peer = await call.peer();
    await peer.next();
    control.abort(enough);
    expect(await first).toMatchObject(canceled);
    peer.send(ok(1));
    const second = client.echo({});
    expect((await peer.next()).id).toBe(3);
    peer.send(ok(3));
    await second;
  });

  test.each([
    ["chat", 7, ""],
    // Rust's server reads ND only beside RC: an empty frame would be one more message to its handler.
    ["join", 6, "00"],
  ] as const)("ends %s and tells the server with flags %i", async (name, flags, data) => {
    const { client, ...call } = start();
    const control = new AbortController();
    const requests = createPushStream<{ text: string }>();
    const first =
      name === "chat" ? failure(client.chat(requests, control).next()) : failure(client.join(requests, control));
    const peer = await call.peer();
    await peer.next();
    control.abort(enough);
    expect(await first).toMatchObject(canceled);
    expect(await peer.next()).toEqual(rawFrame(1, 3, flags, data));
    expect(await failure(requests.push({ text: "late" }))).toMatchObject({ code: Code.Canceled });
  });

  // A frame on a stream that the server ends at the same time ends the process of Go servers before 1.2.8.
  test.each(["split", "chat"] as const)("of a %s without open requests sends nothing on its stream", async (name) => {
    const { client, ...call } = start();
    const control = new AbortController();
    const first = failure((name === "split" ? client.split({}, control) : client.chat([], control)).next());
    const peer = await call.peer();
    await peer.take(name === "split" ? 1 : 2);
    control.abort(enough);
    expect(await first).toMatchObject(canceled);
    expect(canceledBy(await peer.next())).toBe(1);
    peer.send(ok(3));
  });

  test("of a stream without open requests sends nothing at all where control is off, or its deadline has passed", async () => {
    const { client, clock, ...call } = start({ control: false });
    const control = new AbortController();
    const first = failure(client.split({}, control).next());
    const peer = await call.peer();
    await peer.next();
    control.abort(enough);
    await first;
    const second = failure(client.split({}, { timeoutMs: 100 }).next());
    expect((await peer.next()).id).toBe(3);
    await clock.elapse(120);
    expect(await second).toMatchObject({ code: Code.DeadlineExceeded });
    const third = client.echo({});
    expect((await peer.next()).id).toBe(5);
    peer.send(ok(5));
    await third;
  });

  test("that fires without a reason, or with a text", async () => {
    const { client } = start();
    for (const [reason, text] of [
      ["too slow", "the call was canceled: too slow"],
      [5, "the call was canceled"],
    ]) {
      const call = failure(client.echo({}, { signal: AbortSignal.abort(reason) }));
      expect((await call).rawMessage).toBe(text);
    }
  });
});

describe("a stream that is left early", () => {
  test.each(["break", "throw", "return"] as const)(
    "by %s is canceled, and what was received is dropped",
    async (how) => {
      const { client, ...call } = start();
      const responses = client.split({});
      const peer = await call.peer();
      await peer.next();
      peer.send(dataFrame(1, "a"), dataFrame(1, "b"));
      const read = async () => {
        for await (const { text } of responses) {
          expect(text).toBe("a");
          if (how === "break") break;
          if (how === "throw") throw new Error("mine");
          return "returned";
        }
        return "broken off";
      };
      const outcome = await read().catch((error: Error) => error.message);
      expect(outcome).toBe({ break: "broken off", throw: "mine", return: "returned" }[how]);
      expect(canceledBy(await peer.next())).toBe(1);
      peer.send(ok(3));
    },
  );

  test("after its end tells the server nothing", async () => {
    const { client, ...call } = start();
    const responses = client.split({});
    const peer = await call.peer();
    await peer.next();
    peer.send(dataFrame(1, "a"), emptyData(1, 5));
    await turns();
    await responses.return?.();
    const next = client.echo({});
    expect((await peer.next()).id).toBe(3);
    peer.send(ok(3));
    await next;
  });
});
