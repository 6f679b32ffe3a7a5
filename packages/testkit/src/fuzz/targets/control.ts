// The messages of guestwire.control.v1, which are read by hand: responses' metadata, features, what is canceled.
import { Sink } from "@guestwire/rpc/codec";
import { WireError } from "@guestwire/rpc/transport";
import {
  cancelCodec,
  decodeResponseMetadata,
  encodeResponseMetadata,
  featuresCodec,
} from "../../../../ttrpc/src/control-protocol.js";
import { unhex } from "../../frames.js";
import { judge } from "../plain-wire.js";
import { attempt, check, type FuzzTarget } from "../target.js";

const limits = { metadataPairs: 4, metadataBytes: 100 };
const wire = (error: unknown): boolean => error instanceof WireError;
const pair = { 1: 2, 2: 2 };

export const control: FuzzTarget = {
  name: "control",
  checks:
    "messages of guestwire.control.v1 are read within their limits or refused, and written again are read the same",
  seeds: ["0a06 0a016b 120176 1204 0a014b 1200", "0a0101", "0801 0802", "0807"].map(unhex),
  dictionary: ["0a06 0a016b 120176", "12040a02c328", "0a0a", "08ffffffff0f"].map(unhex),
  run(input) {
    const around = Buffer.alloc(input.length + 32, 0x7f);
    around.set(input, 16);
    const end = 16 + input.length;
    const bytes = around.subarray(16, end);

    const read = attempt(() => decodeResponseMetadata(bytes, limits), wire);
    if (judge(bytes, { 1: pair, 2: pair }) === "broken") check("error" in read, () => "took what is broken");
    if ("value" in read) {
      const { header, trailer } = read.value;
      check(header.size + trailer.size <= limits.metadataPairs, () => "more pairs than the limit");
      const again = decodeResponseMetadata(encodeResponseMetadata(read.value), { ...limits, metadataBytes: 200 });
      check(again.header.flat.join("\0") === header.flat.join("\0"), () => "another header came back");
      check(again.trailer.flat.join("\0") === trailer.flat.join("\0"), () => "another trailer came back");
    }
    for (const codec of [featuresCodec, cancelCodec]) {
      const message = attempt(() => codec.decode(around, 16, end), wire);
      if ("error" in message) continue;
      check(judge(bytes, {}) !== "broken", () => "took what is broken");
      const sink = new Sink();
      codec.encode(message.value as never, sink);
      const written = Buffer.from(sink.toBytes());
      const again = codec.decode(written, 0, written.length);
      check(JSON.stringify(again) === JSON.stringify(message.value), () => "another message came back");
    }
  },
};
