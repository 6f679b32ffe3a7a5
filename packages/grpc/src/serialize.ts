// Messages to bytes and back, as functions of the kind that grpc-js takes: one pair for each message type, made once.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Codec, codecFor } from "@guestwire/rpc/codec";
import { OutgoingMessage } from "./outgoing-message.js";

/** Encodes a message, or an init of one. @throws {CodecError} when a value does not fit its field. */
export type Serializer<D extends DescMessage = DescMessage> = (message: MessageInitShape<D>) => Buffer;

/** Decodes a message. @throws {CodecError} when the bytes are no such message. */
export type Deserializer<D extends DescMessage = DescMessage> = (bytes: Buffer) => MessageShape<D>;

const serializers = new WeakMap<DescMessage, Serializer>();
const deserializers = new WeakMap<DescMessage, Deserializer>();

/** The encoder of a message type. */
export function serializerOf<D extends DescMessage>(schema: D): Serializer<D> {
  let serializer = serializers.get(schema);
  if (serializer === undefined) {
    const codec = codecFor(schema);
    serializer = (message) => copied(OutgoingMessage.encode(codec as Codec, message));
    serializers.set(schema, serializer);
  }
  return serializer as Serializer<D>;
}

/** The decoder of a message type. */
export function deserializerOf<D extends DescMessage>(schema: D): Deserializer<D> {
  let deserializer = deserializers.get(schema);
  if (deserializer === undefined) {
    const codec = codecFor(schema);
    deserializer = (bytes) => codec.decode(bytes, 0, bytes.length);
    deserializers.set(schema, deserializer);
  }
  return deserializer as Deserializer<D>;
}

/**
 * Encodes a request for a client of grpc-js that does not compress it. Large bytes in it are copied once, into the frame:
 * what they lie in must not change until then.
 */
export function encodeRequest(codec: Codec, message: MessageInitShape<DescMessage>): Buffer {
  const encoded = OutgoingMessage.encode(codec, message);
  // It has all that grpc-js asks of a buffer.
  return encoded.attached ? (encoded as unknown as Buffer) : copied(encoded);
}

function copied(encoded: OutgoingMessage): Buffer {
  const bytes = Buffer.allocUnsafe(encoded.byteLength);
  encoded.copy(bytes, 0);
  encoded.release();
  return bytes;
}
