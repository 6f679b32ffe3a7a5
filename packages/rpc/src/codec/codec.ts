// Message codecs compiled from protobuf-es descriptors: what transports use instead of toBinary and fromBinary.
// Loads nothing of @bufbuild/protobuf at run time.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Sink } from "./sink.js";

/** Encodes and decodes one message type, on protobuf-es' own message objects. */
export interface Codec<D extends DescMessage = DescMessage> {
  /** The message type. */
  readonly schema: D;
  /** Appends the encoded message (a message, or an init of one) to a sink. */
  encode(message: MessageInitShape<D>, sink: Sink): void;
  /** Decodes `bytes[start..end)`. */
  decode(bytes: Uint8Array, start: number, end: number): MessageShape<D>;
  /** Makes a message of an init; a message of the type is returned as it is. */
  create(init?: MessageInitShape<D>): MessageShape<D>;
  /** Encodes into an array of its own. */
  toBytes(message: MessageInitShape<D>): Uint8Array;
}

/** The codec of a message type, compiled at the first call and kept with the schema. */
export function codecFor<D extends DescMessage>(schema: D): Codec<D> {
  throw new Error(`no codec for ${schema.typeName} yet`);
}
