// What a client needs to know of a method, worked out once: its path, its codecs, its kind.
import { type Codec, codecFor } from "@guestwire/rpc/codec";
import {
  clientStreams,
  methodPath,
  type StreamingMethod,
  serverStreams,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import { type Deserializer, deserializerOf, type Serializer, serializerOf } from "./serialize.js";

/** A method ready to be called. */
export interface PreparedMethod {
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  readonly serialize: Serializer;
  /** The codec of requests, for {@link encodeRequest}. */
  readonly input: Codec;
  readonly deserialize: Deserializer;
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
  /** Whether the schema says that repeating a call is harmless. */
  readonly idempotent: boolean;
}

const prepared = new WeakMap<object, PreparedMethod>();

/** Prepares a method; the second time it is only looked up. */
export function prepareMethod(method: UnaryMethod | StreamingMethod): PreparedMethod {
  const known = prepared.get(method);
  if (known !== undefined) return known;
  const made: PreparedMethod = {
    path: methodPath(method),
    serialize: serializerOf(method.input),
    input: codecFor(method.input),
    deserialize: deserializerOf(method.output),
    clientStreams: clientStreams(method),
    serverStreams: serverStreams(method),
    idempotent: method.idempotency !== 0,
  };
  prepared.set(method, made);
  return made;
}
