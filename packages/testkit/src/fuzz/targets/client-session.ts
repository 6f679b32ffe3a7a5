// A whole client with one call of each kind, whose server is the input.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";
import { openChannel } from "../../../../ttrpc/src/channel.js";
import { decodeFrames, unhex } from "../../frames.js";
import { EchoService } from "../../gen/guestwire/test/v1/echo_pb.js";
import { ManualClock } from "../manual-clock.js";
import { FuzzLink, play, settle } from "../session-input.js";
import { check, type FuzzTarget } from "../target.js";

const limits = {
  messageBytes: 300,
  streamMessages: 4,
  receiveBytes: 400,
  framesPerTurn: 8,
  frameMs: 500,
  stallMs: 100,
};

function response(payload: string, code = 0, message = ""): Buffer {
  const status = code === 0 && message === "" ? {} : { status: { code, message } };
  return Buffer.from(toBinary(ResponseSchema, create(ResponseSchema, { ...status, payload: unhex(payload) })));
}

function metadataResponse(value: string): Buffer {
  const details = [{ typeUrl: "guestwire.control.v1.ResponseMetadata", value: unhex(value) }];
  return Buffer.from(
    toBinary(ResponseSchema, create(ResponseSchema, { status: { details }, payload: unhex("0a0161") })),
  );
}

const parts: readonly Buffer[] = [
  Buffer.alloc(0),
  unhex("0a00"),
  response("0a0161"),
  response("", 5, "gone"),
  response("0a0161", 99, "odd"),
  response("", 4, "late"),
  response("", 0, "fine"),
  response("0aff"),
  unhex("0aff"),
  unhex("0a0161"),
  unhex("0a03616263 1201ff 1807"),
  response("0a0101"),
  // OK, with a response's metadata among the details, good and broken.
  metadataResponse("0a06 0a016b 120176"),
  metadataResponse("0aff"),
  Buffer.alloc(290, 0x0a),
  Buffer.alloc(301),
];

async function readAll(responses: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of responses) count++;
  return count;
}

export const clientSession: FuzzTarget = {
  name: "client-session",
  checks: "every call of a client settles once by its deadline, with an answer or an RpcError, and nothing is left",
  seeds: [
    unhex("00 03 02 03 05 09 03 65 00 05 03 02 07 05 09 07 65 00 c8"),
    unhex("00 03 03 03 03 03 05 03 03 07 03 03"),
    unhex("03 05 09 03 05 09 03 05 09 03 05 09 03 05 09 c8 07 15 0a c8"),
    unhex("f1 c8 00 03 02 ff"),
    unhex("94 000000 01 df df"),
  ],
  maxBytes: 200,
  async run(input) {
    const clock = new ManualClock();
    const link = new FuzzLink(clock);
    const channel = openChannel({ target: "fuzz:", dial: async () => link }, { timeoutMs: 30_000, limits }, clock);
    const client = createClient(EchoService, channel);
    const pushed = createPushStream<{ text: string }>();
    // Nobody reads it until the end: its queue fills.
    const unread = client.split({ count: 1 });
    const calls = [
      client.echo({ text: "a" }),
      readAll(client.split({ count: 2 })),
      client.join([{ text: "b" }, { text: "c" }]),
      readAll(client.chat(pushed)),
    ];
    const settled = Promise.allSettled(calls);
    await settle(clock);
    await play(input, link, clock, parts);
    const reading = Promise.allSettled([readAll(unread)]);
    let open = true;
    void Promise.all([settled, reading]).then(() => {
      open = false;
    });
    await settle(clock);
    if (open) clock.advance(30_010);
    await settle(clock);
    check(!open, () => "a call outlives its deadline");
    for (const outcome of [...(await settled), ...(await reading)]) {
      if (outcome.status === "fulfilled") continue;
      const { reason } = outcome;
      check(reason instanceof RpcError, () => `failed with ${String(reason)}`);
      check(reason.code >= 1 && reason.code <= 16, () => `code ${reason.code}`);
    }
    const closed = channel.close();
    await settle(clock);
    link.close();
    await settle(clock);
    await closed;
    // The wheel of deadlines notices within a round of 4 s that nothing waits any more.
    clock.advance(5000);
    check(clock.pending === 0, () => `${clock.pending} timers are left`);
    checkSent(Buffer.concat(link.sent));
  },
};

function checkSent(bytes: Buffer): void {
  const { frames, rest } = decodeFrames(bytes);
  check(rest.length === 0, () => "half a frame was sent");
  let last = -1;
  for (const { id, type, data } of frames) {
    check(type === 1 || type === 3, () => `a frame of type ${type}`);
    if (type === 3) {
      check(id <= last, () => "data before its request");
      continue;
    }
    check((id & 1) === 1 && id > last, () => `stream id ${id} behind ${last}`);
    last = id;
    const { service } = fromBinary(RequestSchema, data);
    // The client also tells peers that know it of what it does, for which there is a service of its own.
    check(service === EchoService.typeName || service.startsWith("guestwire."), () => `a request to ${service}`);
  }
}
