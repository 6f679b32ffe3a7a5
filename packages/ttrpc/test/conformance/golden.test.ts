// Golden frames and the forms of Go and Rust, byte for byte: what we send, and what we take.
import { type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, encodeFrames, unhex } from "@guestwire/testkit";
import { KeyValueSchema, RequestSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { type Calling, failure, startCalling } from "../support/calling.js";
import { type Serving, startServing } from "../support/serving.js";
import { echo, emptyData, errorFrame, requestFrame, responseFrame, say } from "../support/wire.js";

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

const hex = (frame: Parameters<typeof say>[0]): string => encodeFrames([frame]).toString("hex");

describe("golden frames that Go and Rust send", () => {
  test.each([
    ["a unary request in Go's form", "0000000e00000001 01 00 0a03742e53 12014d 1a040a02696e", "service t.S"],
    ["a bidi open in Go's form", "0000000900000001 01 02 0a03742e53 12025354", "service t.S"],
    ["a server stream's open in Go's form", "0000000e00000001 01 01 0a03742e53 12025354 1a030a0172", "service t.S"],
  ])("%s is read", async (_, request, message) => {
    const { peer } = serving();
    peer.send(request);
    expect(say(await peer.next())).toBe(`error 12 on 1: ${message}`);
  });

  test("an unknown service gets the very frame that Go sends", async () => {
    const { peer } = serving();
    peer.send(requestFrame(11, "M", { service: "no.S" }));
    expect(hex(await peer.next())).toBe("000000120000000b02000a10080c120c73657276696365206e6f2e53");
  });

  test("an OK with an empty message is the very frame that Go sends", async () => {
    const { peer } = serving();
    peer.send(requestFrame(15, "Echo"));
    expect(hex(await peer.next())).toBe("000000000000000f0200");
  });

  test("the end of a server's stream is the very frame that Go sends", async () => {
    const { peer } = serving();
    peer.send(requestFrame(1, "Split", { flags: 1 }));
    expect(hex(await peer.next())).toBe("00000000000000010305");
  });

  test.each(["0000000000000001 02 00", "0000000200000001 02 00 0a00"])(
    "OK with an empty message as %s",
    async (frame) => {
      const { client, ...call } = calling();
      const answer = client.echo({ text: "a" });
      (await call.peer()).send(frame);
      expect((await answer).text).toBe("");
    },
  );
});

describe("the vectors of containerd's runtime", () => {
  test("ten zero bytes are answered on id 0 with a body, and change nothing", async () => {
    const { peer, server } = serving();
    for (let i = 0; i < 3; i++) peer.send("00000000000000000000");
    for (let i = 0; i < 3; i++) {
      const answer = await peer.next();
      expect([answer.id, answer.type, answer.flags]).toEqual([0, 2, 0]);
      expect(say(answer)).toBe("error 3 on 0: StreamID must be odd for client initiated streams");
    }
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "a" }) }));
    expect(say(await peer.next())).toBe("response 1: a");
    expect(server.runningCalls).toBe(0);
  });

  const requests = [
    "000000340000000101000a2c636f6e7461696e6572642e766d696e6974642e73657276696365732e73797374656d2e76312e53797374656d1204496e666f",
    "0000007c0000000301000a2c636f6e7461696e6572642e766d696e6974642e73657276696365732e62756e646c652e76312e42756e646c6512064372656174651a170a02633112110a0b636f6e6669672e6a736f6e12027b7d208094ebdc032a250a1a636f6e7461696e6572642d6e616d6573706163652d7474727063120764656661756c74",
    "0000002d0000000701010a237370696e626f782e73657276696365732e766d6576656e74732e76312e4576656e7473120653747265616d",
  ];

  test.each(requests)("the request %s is what our client writes for its parts", async (golden) => {
    const bytes = unhex(golden);
    const id = bytes.readUInt32BE(4);
    const parts = fromBinary(RequestSchema, bytes.subarray(10));
    // A service of that name, with messages that hold any bytes: the payload passes through.
    const { clock, channel, ...call } = calling();
    const kind = bytes[9] === 1 ? "server_streaming" : "unary";
    const method = fakeMethod(parts.service, parts.method, kind);
    const options = {
      ...(parts.timeoutNano > 0n && { timeoutMs: Number(parts.timeoutNano) / 1e6 }),
      metadata: parts.metadata.map(({ key, value }) => [key, value] as const),
    };
    const filler = createClient(EchoService, channel);
    const ends: Promise<unknown>[] = [];
    for (let before = 1; before < id; before += 2) ends.push(failure(filler.echo({})));
    const request = { $typeName: "ttrpc.StringList", $unknown: [...splitFields(parts.payload)] };
    if (kind === "unary") ends.push(failure(channel.unary(method as never, request as never, options)));
    else ends.push(failure(channel.stream(method as never, request as never, options).next()));
    const peer = await call.peer();
    const frames = await peer.take((id + 1) / 2);
    expect(hex(frames.at(-1) as never)).toBe(golden);
    expect(clock.pending).toBe(parts.timeoutNano > 0n ? 1 : 0);
    peer.destroy();
    await Promise.all(ends);
  });

  test.each([
    [
      "0000001300000003020012110a0f2f72756e2f62756e646c65732f6331",
      responseFrame(3, unhex("0a0f2f72756e2f62756e646c65732f6331")),
    ],
    ["000000120000000502000a100805120c783a206e6f7420666f756e64", errorFrame(5, 5, "x: not found")],
    ["00000000000000070300", emptyData(7, 0)],
    ["00000000000000070305", emptyData(7, 5)],
  ])("the answer %s is what our server writes for its parts", async (golden, frame) => {
    expect(hex(frame)).toBe(golden);
    const { peer } = serving({
      ...echoHandlers,
      // 0a is field 1 of the echo's response as well, the text.
      echo: () => ({ text: "/run/bundles/c1" }),
      fail() {
        throw new RpcError(Code.NotFound, "x: not found");
      },
    });
    const { id } = frame;
    if (id === 3) peer.send(requestFrame(3, "Echo"));
    else if (id === 5) peer.send(requestFrame(5, "Fail"));
    else peer.send(requestFrame(7, "Split", { flags: 1, payload: unhex("0801") }));
    const sent = [await peer.next()];
    if (id === 7) sent.push(await peer.next());
    expect(sent.map(hex)).toContain(golden);
  });
});

/** A method of a service that does not exist here, whose messages are passed through as unknown fields. */
function fakeMethod(service: string, name: string, methodKind: string): object {
  const schema: DescMessage = KeyValueSchema.file.messages.find(({ name: own }) => own === "StringList") as DescMessage;
  const empty = { ...schema, fields: [], members: [], oneofs: [], field: {} };
  return { kind: "rpc", name, methodKind, input: empty, output: empty, parent: { typeName: service } };
}

/** The top-level fields of a message, in the form of protobuf-es' unknown fields. All are length-delimited here. */
function* splitFields(bytes: Uint8Array): Iterable<{ no: number; wireType: number; data: Uint8Array }> {
  for (let at = 0; at < bytes.length; ) {
    const [tag, length] = [bytes[at] as number, bytes[at + 1] as number];
    yield { no: tag >>> 3, wireType: tag & 7, data: bytes.subarray(at + 1, at + 2 + length) };
    at += 2 + length;
  }
}
