// The cases with a peer's server that are about the size of frames, and the probe.
import { deepEqual, equal } from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@guestwire/rpc";
import { probe } from "@guestwire/ttrpc";
import { RequestSchema, ResponseSchema } from "@guestwire/types/ttrpc";
import { rawFrame, rawType } from "../frames.js";
import { EchoRequestSchema, EchoResponseSchema, EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { rawConnect } from "../raw-peer.js";
import { failure, type ServerCase, works } from "./server-case.js";

const maxFrame = 4 << 20;

/** The data of a Request frame for Echo whose payload has so many bytes. */
function echoRequest(bytes: number): Uint8Array {
  const payload = toBinary(EchoRequestSchema, create(EchoRequestSchema, { payload: new Uint8Array(bytes) }));
  return toBinary(RequestSchema, create(RequestSchema, { service: EchoService.typeName, method: "Echo", payload }));
}

// How many bytes Echo's payload may have: the rest of a frame are names and lengths.
const largest = maxFrame - (echoRequest(maxFrame).length - maxFrame);

/** Cases of `cases.ts` by name. */
export const sizeCases: Readonly<Record<string, ServerCase>> = {
  async size_below(peer) {
    equal(echoRequest(largest).length, maxFrame);
    const { payload } = await peer.client.echo({ payload: Buffer.alloc(largest, 3) });
    equal(Buffer.compare(payload, Buffer.alloc(largest, 3)), 0);
    await works(peer);
  },

  // Ours does not send such a frame, so the server is asked with a raw one as well.
  async size_above(peer) {
    const error = await failure(peer.client.echo({ payload: Buffer.alloc(largest + 1) }));
    deepEqual([error.code, error.reason], [Code.ResourceExhausted, "oversize"]);
    await works(peer);
    await using raw = await rawConnect(peer.path);
    raw.send(rawFrame(1, rawType.request, 0, echoRequest(largest + 1)));
    const { id, type, data } = await raw.next();
    const { status } = fromBinary(ResponseSchema, data);
    deepEqual([id, type, status?.code], [1, rawType.response, peer.traits.requestAbove]);
    raw.send(rawFrame(3, rawType.request, 0, echoRequest(1)));
    const answer = fromBinary(ResponseSchema, (await raw.next()).data);
    equal(fromBinary(EchoResponseSchema, answer.payload).payload.length, 1);
  },

  async reply_above(peer) {
    const parts = [1, 2].map(() => ({ payload: Buffer.alloc(5 << 19) }));
    const error = await failure(peer.client.join(parts));
    if (peer.traits.replyAbove === "closes") {
      deepEqual([error.code, error.reason], [Code.Unavailable, "connection_closed"]);
    } else equal(error.code, peer.traits.replyAbove);
    await works(peer);
  },

  async probe(peer) {
    await probe(`unix://${peer.path}`, { answerTimeoutMs: 10_000 });
    await using raw = await rawConnect(peer.path);
    raw.send(Buffer.alloc(10));
    equal((await raw.next()).id, 0);
    raw.send(rawFrame(1, rawType.request, 0, echoRequest(1)));
    equal((await raw.next()).id, 1);
    await works(peer);
  },
};
