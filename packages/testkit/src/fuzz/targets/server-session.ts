// A whole server of the echo service with one connection that the input drives.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Handlers } from "@guestwire/rpc";
import { RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";
import { TtrpcServer } from "../../../../ttrpc/src/server.js";
import { echoHandlers } from "../../echo-handlers.js";
import { decodeFrames, unhex } from "../../frames.js";
import { EchoResponseSchema, EchoService } from "../../gen/guestwire/test/v1/echo_pb.js";
import { ManualClock } from "../manual-clock.js";
import { FuzzLink, play, settle } from "../session-input.js";
import { check, type FuzzTarget } from "../target.js";

const limits = {
  messageBytes: 300,
  connectionCalls: 6,
  streamMessages: 4,
  receiveBytes: 400,
  framesPerTurn: 8,
  frameMs: 500,
};

const controlService = "guestwire.control.v1.ControlService";

function request(
  method: string,
  payload = "",
  timeoutNano = 0n,
  metadata: [string, string][] = [],
  service: string = EchoService.typeName,
): Buffer {
  const pairs = metadata.map(([key, value]) => ({ key, value }));
  const init = {
    service,
    method,
    payload: unhex(payload),
    timeoutNano,
    metadata: pairs as never,
  };
  return Buffer.from(toBinary(RequestSchema, create(RequestSchema, init)));
}

const parts: readonly Buffer[] = [
  ...["Echo", "Split", "Join", "Chat", "Fail", "Inspect", "Hang", "Nope"].map((method) => request(method)),
  request("Echo", "0a0161"),
  request("Echo", "0a0161", 1_000_000n, [["a", "b"]]),
  request("Echo", "0aff"),
  request("Split", "0803 1201 61"),
  request("Split", "0806 1801"),
  request("Join", "0a0161"),
  request("Chat", "0a0161", 100_000_000n),
  request("Hang", "", 50_000_000n),
  request("Hang", "", -1n),
  request("Hang", "", 3_600_000_000_000n),
  request("Echo", "0a0161", 3_600_000_000_000n),
  request("Fail", "0807 1202 6e6f 1a01 64"),
  request("Fail"),
  request("Hello", "0a0101", 0n, [], controlService),
  request("Cancel", "0801", 0n, [], controlService),
  request("Cancel", "0803", 0n, [], controlService),
  request("Ping", "", 0n, [], controlService),
  request("Hello", "0aff", 0n, [], controlService),
  Buffer.alloc(0),
  unhex("0a0161"),
  unhex("0a03616263 1201ff 1807"),
  unhex("0aff"),
  Buffer.alloc(290, 0x0a),
  Buffer.alloc(301),
];

const handlers: Handlers<typeof EchoService> = {
  ...echoHandlers,
  // As asynchronous handlers are.
  inspect: async (message, context) => {
    await undefined;
    return echoHandlers.inspect(message, context);
  },
  split: (message, context) => echoHandlers.split({ ...message, count: message.count % 8 }, context),
};

export const serverSession: FuzzTarget = {
  name: "server-session",
  checks: "a server answers in whole frames, ends with its client, and keeps no call, no timer and no connection",
  seeds: [
    unhex("0000 08 03 0000 c8"),
    unhex("00 00 03 c8 00 05 14 c8 00 65 13 c8 06 00 0b c8"),
    unhex("00 20 02 03 05 14 00 05 14 00 65 13 c8"),
    unhex("00 00 06 05 00 0f c8 de c8 ff"),
    unhex("f1 00 00 0b 03 00 0c c8 f0 c8 00 00 11 05 00 12 c8 91 00"),
  ],
  maxBytes: 200,
  async run(input) {
    const clock = new ManualClock();
    const server = new TtrpcServer({ limits }, clock).service(EchoService, handlers);
    const link = new FuzzLink(clock);
    server.attachLink(link);
    await play(input, link, clock, parts);
    check(link.sentBytes <= input.length * 400 + 4096, () => `${link.sentBytes} bytes for ${input.length}`);
    link.close();
    await settle(clock);
    check(server.connections === 0, () => "the connection is still counted");
    // A deadline still runs where a handler is deaf; none here is.
    check(server.runningCalls === 0, () => `${server.runningCalls} calls still run`);
    // The wheel of deadlines notices within a round of 4 s that nothing waits any more.
    clock.advance(5000);
    check(clock.pending === 0, () => `${clock.pending} timers are left`);
    checkSent(Buffer.concat(link.sent));
    const closed = server.close();
    await settle(clock);
    await closed;
  },
};

function checkSent(bytes: Buffer): void {
  const { frames, rest } = decodeFrames(bytes);
  check(rest.length === 0, () => "half a frame was sent");
  const ended = new Set<number>();
  for (const { id, type, flags, data } of frames) {
    check(type === 2 || type === 3, () => `a frame of type ${type}`);
    check(data.length <= limits.messageBytes, () => `a frame of ${data.length} bytes`);
    if (type === 3) {
      check((id & 1) === 1 && !ended.has(id), () => `data on stream ${id} that is none or ended`);
      if ((flags & 1) === 1) ended.add(id);
      else fromBinary(EchoResponseSchema, data);
      continue;
    }
    const { status } = fromBinary(ResponseSchema, data);
    check((id & 1) === 1 || status?.code === 3, () => `stream ${id} was answered with ${status?.code}`);
    check(status === undefined || (status.code >= 0 && status.code <= 16), () => `code ${status?.code}`);
  }
}
