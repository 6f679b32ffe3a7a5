// What a hostile server may send or do, line by line of docs/hostile-peers.md, against our client: what its calls give.
import { Code, createPushStream, RpcError } from "@guestwire/rpc";
import { encodeFrames, type RawPart, type RawPeer, rawFrame, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../support/calling.js";
import { dataFrame, echo, emptyData, errorFrame, responseFrame } from "../support/wire.js";

let calling: Calling;

afterEach(() => calling.end());

/** Makes a call of each kind; their ids are 1, 3, 5 and 7. */
async function fourCalls(timeoutMs?: number) {
  const { client } = calling;
  const options = timeoutMs === undefined ? {} : { timeoutMs };
  const outcomes: string[][] = [[], [], [], []];
  const single = async (at: number, call: Promise<{ text: string }>): Promise<void> => {
    const answer = await call.then(
      ({ text }) => text,
      (error: RpcError) => `${error.code} ${error.reason ?? "answer"}`,
    );
    outcomes[at]?.push(answer);
  };
  const many = async (at: number, responses: AsyncIterable<{ text: string }>): Promise<void> => {
    try {
      for await (const { text } of responses) outcomes[at]?.push(text);
      outcomes[at]?.push("end");
    } catch (error) {
      expect(error).toBeInstanceOf(RpcError);
      outcomes[at]?.push(`${(error as RpcError).code} ${(error as RpcError).reason ?? "answer"}`);
    }
  };
  const calls = [
    single(0, client.echo({}, options)),
    many(1, client.split({}, options)),
    single(2, client.join(createPushStream<{ text: string }>(), options)),
    many(3, client.chat(createPushStream<{ text: string }>(), options)),
  ];
  const peer = await calling.peer();
  await peer.take(4);
  return { peer, outcomes, done: Promise.all(calls) };
}

const answers = [
  responseFrame(1, echo({ text: "a" })),
  dataFrame(3, "b"),
  emptyData(3, 5),
  responseFrame(5, echo({ text: "c" })),
  dataFrame(7, "d"),
  dataFrame(7, "e"),
  emptyData(7, 5),
];
const answered = [["a"], ["b", "end"], ["c"], ["d", "e", "end"]];

async function nextCall(peer: RawPeer, id: number): Promise<void> {
  const call = calling.client.echo({});
  expect((await peer.next()).id).toBe(id);
  peer.send(responseFrame(id, echo({ text: "still" })));
  expect((await call).text).toBe("still");
}

describe("comes in pieces", () => {
  const bytes = encodeFrames(answers);

  test("two, cut at every byte of headers and data", async () => {
    calling = startCalling();
    for (let at = 0; at <= bytes.length; at++) {
      const { peer, outcomes, done } = await fourCalls();
      peer.send(bytes.subarray(0, at));
      await turns(2);
      peer.send(bytes.subarray(at));
      await done;
      expect([at, outcomes]).toEqual([at, answered]);
      // A connection of its own for each cut, so that the ids are the same.
      peer.destroy();
      await calling.clock.elapse(100);
    }
  });

  test("of one byte each", async () => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls();
    for (const byte of bytes) peer.send(Buffer.of(byte));
    await done;
    expect(outcomes).toEqual(answered);
    await nextCall(peer, 9);
  });

  test("of one byte a second: the frame's time ends the connection and its calls", async () => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls();
    const slow = encodeFrames([responseFrame(1, echo({ text: "x".repeat(40) }))]);
    let sent = 0;
    while (!peer.isClosed && sent < slow.length) {
      peer.send(slow.subarray(sent, ++sent));
      await calling.clock.elapse(1000);
    }
    expect(sent).toBe(30);
    await done;
    expect(outcomes).toEqual(Array(4).fill([`${Code.Internal} protocol`]));
  });

  test.each(["end", "destroy"] as const)(
    "and stops, by %s, at every byte: what came whole counts, the rest fails",
    async (how) => {
      calling = startCalling();
      const closed = `${Code.Unavailable} connection_closed`;
      for (let at = 0; at < bytes.length; at++) {
        const { peer, outcomes, done } = await fourCalls();
        peer.send(bytes.subarray(0, at));
        await turns(2);
        peer[how]();
        await done;
        for (const [i, outcome] of outcomes.entries()) {
          const whole = answered[i] as string[];
          const got = outcome.at(-1) === closed ? outcome.slice(0, -1) : outcome;
          expect(whole.slice(0, got.length), `at ${at}`).toEqual(got);
          expect(outcome.at(-1) === closed, `at ${at}`).toBe(got.length < whole.length);
        }
        await calling.clock.elapse(2000);
      }
    },
  );
});

describe("is passed over, and the calls go on", () => {
  test.each<[line: string, sent: RawPart[]]>([
    ["type 4", [rawFrame(1, 4, 0, "0a00")]],
    ["type 0xff on every stream", [1, 3, 5, 7, 9].map((id) => rawFrame(id, 0xff, 0xff, "0a00"))],
    [
      "frames on streams that are none",
      [0, 2, 9, 0x7fff_ffff, 0xffff_ffff].flatMap((id) => [dataFrame(id, "x"), rawFrame(id, 2, 0, "ff")]),
    ],
    ["a Request on a stream of its own", [rawFrame(2, 1, 0, "0a0161"), rawFrame(9, 1, 0, "0a0161")]],
    ["a Response for a call that will be made later", [responseFrame(9, echo({ text: "early" }))]],
  ])("%s", async (_, sent) => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls();
    peer.send(...sent);
    await turns();
    expect(outcomes).toEqual([[], [], [], []]);
    peer.send(...answers);
    await done;
    expect(outcomes).toEqual(answered);
    await nextCall(peer, 9);
  });
});

describe("comes for calls that have ended, or never were: it is dropped", () => {
  test.each<[line: string, sent: (id: number) => RawPart]>([
    ["Response OK", (id) => responseFrame(id, echo({ text: "late" }))],
    ["Response OK, empty", (id) => rawFrame(id, 2, 0)],
    ["Response with an error", (id) => errorFrame(id, 5, "late")],
    ["Response that cannot be read", (id) => rawFrame(id, 2, 0, "0aff")],
    ["Response over the limit", (id) => rawFrame(id, 2, 0, Buffer.alloc(1001))],
    ["Data", (id) => dataFrame(id, "late")],
    ["Data ND", (id) => emptyData(id, 4)],
    ["Data RC with a payload", (id) => dataFrame(id, "late", 1)],
    ["Data RC+ND", (id) => emptyData(id, 5)],
    ["Data that cannot be decoded", (id) => rawFrame(id, 3, 0, "0aff")],
    ["Data over the limit", (id) => rawFrame(id, 3, 0, Buffer.alloc(1001))],
    ["Request", (id) => rawFrame(id, 1, 0, "0a0161")],
    ["an unknown type", (id) => rawFrame(id, 0xff, 0, "0a0161")],
  ])("%s", async (_, sent) => {
    calling = startCalling({ limits: { messageBytes: 1000 } });
    const { peer, outcomes, done } = await fourCalls();
    peer.send(...answers);
    await done;
    peer.send(...[1, 3, 5, 7, 99, 0xffff_ffff].map(sent));
    await turns();
    expect(outcomes).toEqual(answered);
    await nextCall(peer, 9);
  });
});

describe("is understood", () => {
  test.each<[line: string, sent: RawPart[], outcomes: string[][]]>([
    ["Data with unknown flags", [dataFrame(3, "b", 0xf8), dataFrame(7, "d", 0xf9)], [[], ["b"], [], ["d", "end"]]],
    [
      "two Responses",
      [responseFrame(1, echo({ text: "a" })), responseFrame(1, echo({ text: "b" }))],
      [["a"], [], [], []],
    ],
    ["a status of OK with a text", [errorFrame(1, 0, "fine", echo({ text: "a" }))], [["a"], [], [], []]],
    ["a status of 200", [errorFrame(1, 200, "x"), errorFrame(5, -1, "x")], [["2 answer"], [], ["2 answer"], []]],
    [
      "an error with a payload",
      [errorFrame(1, 5, "x", echo({ text: "a" })), errorFrame(3, 5, "x", echo({ text: "a" }))],
      [["5 answer"], ["5 answer"], [], []],
    ],
    ["Data RC with a payload", [dataFrame(3, "b", 1), dataFrame(7, "d", 1)], [[], ["b", "end"], [], ["d", "end"]]],
    ["Data ND with a payload", [dataFrame(3, "b", 4), dataFrame(7, "d", 4)], [[], ["b"], [], ["d"]]],
    [
      "Data on calls with one response",
      [dataFrame(1, "x"), dataFrame(5, "x")],
      [["13 protocol"], [], ["13 protocol"], []],
    ],
    ["a tag of more than 32 bits", [rawFrame(1, 2, 0, "9280808010 00")], [["13 protocol"], [], [], []]],
  ])("%s", async (_, sent, expected) => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls(1000);
    peer.send(...sent);
    await turns();
    expect(outcomes).toEqual(expected);
    // What still waits ends by its deadline, not later than the wheel's next tick.
    await calling.clock.elapse(1000 + 8);
    await done;
    for (const outcome of outcomes) expect(outcome.length).toBeGreaterThan(0);
    expect(peer.isClosed).toBe(false);
  });
});

describe("a server that is gone", () => {
  test("and does not say so holds no call past its deadline", async () => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls(50);
    peer.pause();
    await calling.clock.elapse(50 + 8);
    await done;
    expect(outcomes).toEqual(Array(4).fill([`${Code.DeadlineExceeded} deadline`]));
  });

  test("or closes its side and reads on ends the calls", async () => {
    calling = startCalling();
    const { peer, outcomes, done } = await fourCalls();
    peer.end();
    await done;
    expect(outcomes).toEqual(Array(4).fill([`${Code.Unavailable} connection_closed`]));
  });

  test("speaks before it is asked, and the call is made on the same connection", async () => {
    calling = startCalling();
    const first = calling.client.echo({});
    const peer = await calling.peer();
    peer.send(dataFrame(3, "x"), responseFrame(0, Buffer.alloc(0)), responseFrame(1, echo({ text: "a" })));
    expect((await first).text).toBe("a");
    await peer.next();
    await nextCall(peer, 3);
    expect(calling.peers).toHaveLength(1);
  });

  test("fails a call that waits for a connection, too, when its time is up", async () => {
    calling = startCalling({}, () => new Promise(() => {}));
    const error = failure(calling.client.echo({}, { timeoutMs: 50 }));
    await calling.clock.elapse(50 + 8);
    expect(await error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
  });
});
