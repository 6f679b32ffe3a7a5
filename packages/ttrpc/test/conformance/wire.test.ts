// All kinds of calls in the forms of Go and of Rust: what our server takes, and what our client sends.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, createPushStream, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, encodeFrames, rawFrame, rawPair, turns, unhex } from "@guestwire/testkit";
import { RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../support/calling.js";
import { type Serving, startServing } from "../support/serving.js";
import { dataFrame, echo, emptyData, errorFrame, requestFrame, responseFrame, say } from "../support/wire.js";

const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of cleanUp.splice(0)) await end();
});

function serving(handlers = echoHandlers): Serving {
  const started = startServing(handlers);
  cleanUp.push(started.end);
  return started;
}

function calling(): Calling {
  const started = startCalling();
  cleanUp.push(started.end);
  return started;
}

const _hex = (frame: Parameters<typeof say>[0]): string => encodeFrames([frame]).toString("hex");

describe("all kinds of calls, in Go's form and in Rust's", () => {
  const forms = [
    ["Go", 2],
    ["Rust", 6],
  ] as const;

  test("unary", async () => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "a" }) }));
    expect(say(await peer.next())).toBe("response 1: a");
  });

  test.each([0x00, 0x01, 0x02, 0x06, 0xff])("unary with flags %i is served the same", async (flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Echo", { flags, payload: echo({ text: "a" }) }));
    expect(say(await peer.next())).toBe("response 1: a");
  });

  test.each([0x00, 0x01, 0x02])("a server stream opened with flags %i", async (flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Split", { flags, payload: unhex("0802") }));
    const frames = await peer.take(3);
    expect(frames.map(({ type, flags: sent }) => [type, sent])).toEqual([
      [3, 0],
      [3, 0],
      [3, 5],
    ]);
  });

  test.each(forms)("a client stream from %s: open, data, a close of its own", async (_, flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Join", { flags }), dataFrame(1, "a"), dataFrame(1, "b"), emptyData(1, 5));
    expect(say(await peer.next())).toBe("response 1: ab");
    await turns();
    expect(await peer.untilProbe()).toEqual([]);
  });

  test.each(forms)("a client stream from %s with its last message in the close", async (_, flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Join", { flags }), dataFrame(1, "a"), dataFrame(1, "b", 1));
    expect(say(await peer.next())).toBe("response 1: ab");
  });

  test.each(forms)("a client stream from %s with its first message in the request", async (_, flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Join", { flags, payload: echo({ text: "first" }) }), dataFrame(1, "a"), emptyData(1, 5));
    expect(say(await peer.next())).toBe("response 1: firsta");
  });

  test("a client stream that is closed by its request has one message, or none", async () => {
    const { peer } = serving();
    peer.send(
      requestFrame(1, "Join", { flags: 1, payload: echo({ text: "only" }) }),
      requestFrame(3, "Join", { flags: 1 }),
    );
    expect((await peer.take(2)).map(say).sort()).toEqual(["response 1: only", "response 3: "]);
  });

  test.each(forms)("a bidi stream from %s", async (_, flags) => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Chat", { flags }));
    for (const text of ["a", "", "c"]) {
      peer.send(dataFrame(1, text));
      expect(say(await peer.next())).toBe(`data 1: ${text}`);
    }
    peer.send(emptyData(1, 5));
    expect(say(await peer.next())).toBe("end 1");
  });

  test.each([
    ["Join", "error 9 on 1: broken"],
    ["Chat", "error 9 on 1: broken"],
    ["Split", "error 9 on 1: broken"],
  ])("a handler's error ends %s with a Response", async (method, answer) => {
    const broken = (): never => {
      throw new RpcError(Code.FailedPrecondition, "broken");
    };
    const { peer } = serving({ ...echoHandlers, join: broken, chat: broken, split: broken });
    peer.send(requestFrame(1, method, { flags: method === "Split" ? 1 : 6 }));
    expect(say(await peer.next())).toBe(answer);
    await turns();
    expect(await peer.untilProbe()).toEqual([]);
  });
});

describe("what our client sends", () => {
  test("unary: one Request without flags", async () => {
    const { client, ...call } = calling();
    const answer = client.echo({ text: "a" });
    const peer = await call.peer();
    expect(await peer.next()).toEqual(requestFrame(1, "Echo", { payload: echo({ text: "a" }) }));
    peer.send(responseFrame(1, echo({ text: "a" })));
    await answer;
  });

  test("an empty message is an absent payload", async () => {
    const { client, ...call } = calling();
    const answer = client.echo({});
    const peer = await call.peer();
    expect(await peer.next()).toEqual(requestFrame(1, "Echo"));
    peer.send(rawFrame(1, 2, 0));
    await answer;
  });

  test("a server stream: Request with RC", async () => {
    const { client, ...call } = calling();
    const responses = client.split({ count: 3 });
    const peer = await call.peer();
    expect(await peer.next()).toEqual(requestFrame(1, "Split", { flags: 1, payload: unhex("0803") }));
    peer.send(emptyData(1, 5));
    expect(await Array.fromAsync(responses)).toEqual([]);
  });

  test.each(["join", "chat"] as const)(
    "%s: Request with RO+ND, each message a Data frame, the close a frame of its own",
    async (name) => {
      const { client, ...call } = calling();
      const requests = createPushStream<{ text: string }>();
      const reply = name === "join" ? client.join(requests) : Array.fromAsync(client.chat(requests));
      const peer = await call.peer();
      expect(await peer.next()).toEqual(requestFrame(1, name === "join" ? "Join" : "Chat", { flags: 6 }));
      for (const text of ["a", "", "b"]) {
        void requests.push({ text });
        expect(await peer.next()).toEqual(dataFrame(1, text));
      }
      requests.end();
      expect(await peer.next()).toEqual(emptyData(1, 5));
      peer.send(name === "join" ? responseFrame(1, echo({ text: "ab" })) : emptyData(1, 5));
      await reply;
    },
  );

  test("ids are odd, rise by two, and are in the order of the wire, also for calls made at once", async () => {
    const { client, ...call } = calling();
    const calls = Array.from({ length: 50 }, (_, i) => client.echo({ text: String(i) }));
    const peer = await call.peer();
    const frames = await peer.take(50);
    expect(frames.map(({ id }) => id)).toEqual(calls.map((_, i) => 2 * i + 1));
    for (const { id } of frames) peer.send(rawFrame(id, 2, 0));
    await Promise.all(calls);
  });

  test("a request that is too large uses no id up", async () => {
    const { client, ...call } = calling();
    const first = client.echo({ text: "a" });
    expect(await failure(client.echo({ payload: Buffer.alloc(4 << 20) }))).toMatchObject({
      code: 8,
      reason: "oversize",
    });
    const second = client.echo({ text: "b" });
    const peer = await call.peer();
    expect((await peer.take(2)).map(({ id }) => id)).toEqual([1, 3]);
    peer.send(rawFrame(3, 2, 0), rawFrame(1, 2, 0));
    await Promise.all([first, second]);
  });

  test("deadline and metadata go with unary calls and with streams, the time that is left", async () => {
    const { client, clock, ...call } = calling();
    const options = { timeoutMs: 250, metadata: { Foo: ["1", "2"], bar: "" } };
    const ends = [
      client.echo({}, options),
      client.join([], options),
      client.chat([], options).next(),
      client.split({}, options).next(),
    ];
    const peer = await call.peer();
    for (let i = 0; i < 4; i++) {
      let frame = await peer.next();
      while (frame.type !== 1) frame = await peer.next();
      const request = fromBinary(RequestSchema, frame.data);
      expect(request.timeoutNano).toBe(250_000_000n);
      expect(request.metadata.map(({ key, value }) => [key, value])).toEqual([
        ["foo", "1"],
        ["foo", "2"],
        ["bar", ""],
      ]);
    }
    const errors = Promise.all(ends.map(failure));
    await clock.elapse(260);
    expect((await errors).map(({ code, reason }) => [code, reason])).toEqual(Array(4).fill([4, "deadline"]));
  });
});

describe("what our server takes", () => {
  test("metadata of any request, keys in lower case, values in order", async () => {
    const seen: unknown[] = [];
    const { peer } = serving({
      ...echoHandlers,
      echo(_, { metadata }) {
        seen.push([...metadata]);
        return {};
      },
      chat(_, { metadata }) {
        seen.push([...metadata]);
        return [];
      },
    });
    const metadata = [
      ["Foo", "2"],
      ["foo", "1"],
      ["x", ""],
    ] as const;
    peer.send(requestFrame(1, "Echo", { metadata }), requestFrame(3, "Chat", { flags: 6, metadata }));
    await peer.take(2);
    expect(seen).toEqual([metadata, metadata].map((pairs) => pairs.map(([key, value]) => [key.toLowerCase(), value])));
  });

  test("a request without anything", async () => {
    const { peer } = serving();
    peer.send(rawFrame(1, 1, 0));
    expect(say(await peer.next())).toBe("error 12 on 1: service ");
  });

  test("unknown fields, and fields in another order", async () => {
    const { peer } = serving();
    const { data } = requestFrame(1, "Echo", { payload: echo({ text: "a" }) });
    peer.send(rawFrame(1, 1, 0, Buffer.concat([unhex("3001 4a0161"), data])));
    const reversed = [{ method: "Echo" }, { payload: echo({ text: "b" }) }, { service: EchoService.typeName }];
    const parts = reversed.map((part) => toBinary(RequestSchema, create(RequestSchema, part)));
    peer.send(rawFrame(3, 1, 0, Buffer.concat(parts)));
    // The second time the names stand where the last request had them, and others behind.
    peer.send(
      rawFrame(5, 1, 0, Buffer.concat([data, toBinary(RequestSchema, create(RequestSchema, { method: "None" }))])),
    );
    expect((await peer.take(3)).map(say)).toEqual(["response 1: a", "response 3: b", "error 12 on 5: method None"]);
  });

  test("requests behind each other in one chunk, and one cut at every byte", async () => {
    const { peer } = serving();
    const bytes = encodeFrames([
      requestFrame(1, "Echo", { payload: echo({ text: "a" }) }),
      requestFrame(3, "Echo", { payload: echo({ text: "b" }) }),
    ]);
    peer.send(bytes);
    expect((await peer.take(2)).map(say)).toEqual(["response 1: a", "response 3: b"]);
    const later = encodeFrames([requestFrame(5, "Echo", { payload: echo({ text: "c" }) })]);
    for (const byte of later) peer.send(Buffer.from([byte]));
    expect(say(await peer.next())).toBe("response 5: c");
  });

  test("ids with gaps, a late one within the window, and the highest there is", async () => {
    const { peer } = serving();
    for (const id of [1, 9, 5, 5, 0xffff_ffff, 11, 0xffff_fffd, 0xffff_fffe]) peer.send(requestFrame(id, "Echo"));
    const refused = (id: number) => `error 3 on ${id}: StreamID cannot be re-used and must increment`;
    expect((await peer.take(8)).map(say)).toEqual([
      "response 1: ",
      "response 9: ",
      "response 5: ",
      refused(5),
      "response 4294967295: ",
      refused(11),
      "response 4294967293: ",
      "error 3 on 4294967294: StreamID must be odd for client initiated streams",
    ]);
  });

  test.each([
    [-1n, "error 4 on 1: the deadline passed"],
    [-(2n ** 63n), "error 4 on 1: the deadline passed"],
    [2n ** 63n - 1n, "response 1: 86400000"],
    [1_500_000n, "response 1: 1.5"],
    [0n, "response 1: Infinity"],
  ])("a timeout of %i ns", async (timeoutNano, answer) => {
    const { peer } = serving({ ...echoHandlers, echo: (_, context) => ({ text: String(context.timeRemainingMs()) }) });
    peer.send(requestFrame(1, "Echo", { timeoutNano }));
    expect(say(await peer.next())).toBe(answer);
  });
});

describe("two raw ends agree with the oracle", () => {
  test("a reply in Go's form, one in Rust's, and an error, for calls that run at the same time", async () => {
    const { client, ...call } = calling();
    const calls = [client.echo({ text: "a" }), client.echo({ text: "b" }), failure(client.echo({ text: "c" }))];
    const peer = await call.peer();
    await peer.take(3);
    const rust = toBinary(ResponseSchema, create(ResponseSchema, { status: {}, payload: echo({ text: "B" }) }));
    peer.send(errorFrame(5, 7, "no"), rawFrame(3, 2, 0, rust), responseFrame(1, echo({ text: "A" })));
    expect(await Promise.all(calls)).toMatchObject([{ text: "A" }, { text: "B" }, { code: 7, rawMessage: "no" }]);
  });

  test("a pair of streams carries what one end sends to the other", async () => {
    const { peer, stream } = rawPair();
    stream.end(encodeFrames([dataFrame(1, "x")]));
    expect(say(await peer.next())).toBe("data 1: x");
    await peer.closed;
  });
});
