// What a hostile client may send or do, line by line of docs/hostile-peers.md, against our server: the answers, exactly.
import {
  EchoService,
  echoHandlers,
  encodeFrames,
  type RawPart,
  rawFrame,
  streamPair,
  turns,
  unhex,
} from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Serving, startServing } from "../support/serving.js";
import { dataFrame, echo, emptyData, requestData, requestFrame, say } from "../support/wire.js";

let serving: Serving;

afterEach(() => serving.end());

const service = EchoService.typeName;

/** The connection serves on, and so does another one. */
async function allIsWell(connections = 1): Promise<void> {
  for (const peer of [serving.peer, serving.connect()]) {
    peer.send(requestFrame(101, "Echo", { payload: echo({ text: "still" }) }));
    expect(say(await peer.next())).toBe("response 101: still");
    if (peer !== serving.peer) peer.destroy();
  }
  await turns();
  expect([serving.server.connections, serving.server.runningCalls]).toEqual([connections, 0]);
}

describe("is answered, and the connection serves on", () => {
  const named = (name: string, method: string): RawPart => rawFrame(1, 1, 0, requestData(method, { service: name }));
  const noService = (name: string): string => `error 12 on 1: service ${name}`;
  const metadata = (...pairs: [string, string][]): RawPart => requestFrame(1, "Inspect", { metadata: pairs });

  test.each<[line: string, sent: RawPart[], answers: string[]]>([
    ["no service and no method", [rawFrame(1, 1, 0)], [noService("")]],
    ["no service", [named("", "Echo")], [noService("")]],
    ["no method", [named(service, "")], ["error 12 on 1: method "]],
    ["a slash in front of the service", [named(`/${service}`, "Echo")], [noService(`/${service}`)]],
    ["service and method in one", [named(`${service}/Echo`, "")], [noService(`${service}/Echo`)]],
    ["the path as a method", [named("", `/${service}/Echo`)], [noService("")]],
    ["a method with a slash", [named(service, "/Echo")], ["error 12 on 1: method /Echo"]],
    ["a service without its package", [named("EchoService", "Echo")], [noService("EchoService")]],
    ["a service without the first part", [named(service.slice(10), "Echo")], [noService(service.slice(10))]],
    ["dots that lead up", [named(`${service}/../x`, "Echo")], [noService(`${service}/../x`)]],
    ["a NUL behind the method", [named(service, "Echo\0")], ["error 12 on 1: method Echo\0"]],
    ["a method in lower case", [named(service, "echo")], ["error 12 on 1: method echo"]],
    ["a name of Object's own", [named("__proto__", "constructor")], [noService("__proto__")]],
    [
      "a metadata key that is no UTF-8",
      [rawFrame(1, 1, 0, Buffer.concat([requestData("Echo"), unhex("2a040a02c328")]))],
      ["error 3 on 1: unmarshal request error: string field contains invalid UTF-8"],
    ],
    [
      "a tag of more than 32 bits",
      [rawFrame(1, 1, 0, Buffer.concat([requestData("Echo"), unhex("8a80808010 00")]))],
      [expect.stringMatching(/^error 3 on 1: unmarshal request error: a tag of more than 32 bits/) as never],
    ],
    [
      "128 keys, all the same",
      [metadata(...Array.from({ length: 128 }, (): [string, string] => ["k", "v"]))],
      [expect.stringMatching(/^response 1/) as never],
    ],
    [
      "129 keys, all the same",
      [metadata(...Array.from({ length: 129 }, (): [string, string] => ["k", "v"]))],
      ["error 8 on 1: more than 128 metadata pairs"],
    ],
    ["type 4 on an odd id", [rawFrame(1, 4, 0, "0a00")], []],
    ["type 4 on an even id", [rawFrame(2, 4, 0)], ["error 3 on 2: StreamID must be odd for client initiated streams"]],
    ["a Request with every flag there is", [requestFrame(1, "Echo", { flags: 0xff })], ["response 1: "]],
    [
      "Data with unknown flags",
      [requestFrame(1, "Chat", { flags: 6 }), dataFrame(1, "x", 0xf8), emptyData(1, 5)],
      ["data 1: x", "end 1"],
    ],
    [
      "Data before its Request",
      [dataFrame(1, "x"), requestFrame(1, "Chat", { flags: 6 }), dataFrame(1, "y"), emptyData(1, 5)],
      ["error 3 on 1: StreamID is no longer active", "data 1: y", "end 1"],
    ],
    ["a Response", [rawFrame(1, 2, 0, "0a00")], []],
    ["a deadline of -1 ns", [requestFrame(1, "Hang", { timeoutNano: -1n })], ["error 4 on 1: the deadline passed"]],
    [
      "a deadline of -2^63 ns",
      [requestFrame(1, "Hang", { timeoutNano: -(2n ** 63n) })],
      ["error 4 on 1: the deadline passed"],
    ],
  ])("%s", async (_, sent, answers) => {
    serving = startServing({ ...echoHandlers, inspect: async () => ({}) });
    serving.peer.send(...sent);
    await turns();
    // What Inspect answers is no message of the echo service; its id is enough.
    const got = (await serving.peer.untilProbe()).map((frame) =>
      frame.data.length > 2 && frame.type === 2 && frame.data[0] === 0x12 ? `response ${frame.id}: ` : say(frame),
    );
    expect(got).toEqual(answers);
    await allIsWell();
  });

  test.each([
    [1n, 8],
    [1_000_000n, 16],
    [2n ** 63n - 1n, 24 * 60 * 60 * 1000 + 8],
  ])("a deadline of %i ns ends the call within %i ms", async (timeoutNano, ms) => {
    serving = startServing();
    serving.peer.send(requestFrame(1, "Hang", { timeoutNano }));
    await turns();
    await serving.clock.elapse(ms);
    expect((await serving.peer.untilProbe()).map(say)).toEqual(["error 4 on 1: the deadline passed"]);
    await allIsWell();
  });
});

describe("comes in pieces", () => {
  const session = encodeFrames([
    requestFrame(1, "Echo", { payload: echo({ text: "a" }) }),
    requestFrame(3, "Chat", { flags: 6 }),
    dataFrame(3, "x"),
    emptyData(3, 5),
  ]);
  const answers = ["response 1: a", "data 3: x", "end 3"];

  test("two, cut at every byte of headers and data", async () => {
    serving = startServing();
    for (let at = 0; at <= session.length; at++) {
      const peer = serving.connect();
      peer.send(session.subarray(0, at));
      await turns(2);
      peer.send(session.subarray(at));
      expect([at, ...(await peer.take(3)).map(say)]).toEqual([at, ...answers]);
      peer.destroy();
    }
    await allIsWell();
  });

  test("of one byte each", async () => {
    serving = startServing();
    const peer = serving.connect();
    for (const byte of session) peer.send(Buffer.of(byte));
    expect((await peer.take(3)).map(say)).toEqual(answers);
    peer.destroy();
    await allIsWell();
  });

  test("of one byte a second: the frame's time ends the connection, and only it", async () => {
    serving = startServing();
    const slow = serving.connect();
    const bytes = encodeFrames([requestFrame(1, "Echo", { payload: echo({ text: "x".repeat(40) }) })]);
    let sent = 0;
    while (!slow.isClosed && sent < bytes.length) {
      slow.send(bytes.subarray(sent, ++sent));
      await serving.clock.elapse(1000);
    }
    // 30 s from the first byte on.
    expect(sent).toBe(30);
    await allIsWell();
  });
});

describe("a client that is gone and does not say so", () => {
  test("leaves calls with a deadline that end by it", async () => {
    serving = startServing();
    const gone = serving.connect();
    gone.send(
      requestFrame(1, "Hang", { timeoutNano: 50_000_000n }),
      requestFrame(3, "Chat", { flags: 6, timeoutNano: 50_000_000n }),
    );
    gone.pause();
    await turns();
    expect(serving.server.runningCalls).toBe(2);
    await serving.clock.elapse(50 + 8);
    expect(serving.server.runningCalls).toBe(0);
    gone.destroy();
    await allIsWell();
  });

  test("or closes its side and reads on: its calls are canceled, as Go's server does", async () => {
    const aborted: number[] = [];
    serving = startServing({
      ...echoHandlers,
      hang: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            aborted.push(signal.reason.code);
            reject(signal.reason);
          });
        }),
    });
    const half = serving.connect();
    half.send(requestFrame(1, "Hang"), requestFrame(3, "Echo", { payload: echo({ text: "a" }) }));
    half.end();
    await half.closed;
    expect(aborted).toEqual([1]);
    await allIsWell();
  });
});

test("a million requests that are sent without reading one answer are all answered, in bounds", async () => {
  serving = startServing();
  const [stream, theirs] = streamPair();
  serving.server.attach(theirs);
  const size = 100_000;
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 10; round++) {
    stream.write(
      encodeFrames(Array.from({ length: size }, (_, i) => requestFrame(2 * (round * size + i) + 1, "Echo"))),
    );
    // As a socket whose peer takes no notice of back-pressure: the next piece comes whether this one was taken or not.
    await turns(2);
  }
  await allIsWell(2);
  let bytes = 0;
  const all = new Promise<void>((resolve) => {
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= 10_000_000) resolve();
    });
  });
  await all;
  // An answer of an empty message is a header; nothing else was sent.
  expect(bytes).toBe(10_000_000);
  stream.destroy();
  await turns();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 << 20);
});
