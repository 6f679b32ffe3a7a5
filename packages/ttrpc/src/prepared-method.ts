// What a client needs to know of a method, worked out once: its encoded names, its codecs, its kind.
import { type Codec, codecFor } from "@guestwire/rpc/codec";
import {
  clientStreams,
  methodPath,
  type StreamingMethod,
  serverStreams,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import { requestPrefix } from "./envelope.js";

/** A method ready to be called. */
export interface PreparedMethod {
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** The first bytes of every request: service and method. */
  readonly prefix: Buffer;
  readonly input: Codec;
  readonly output: Codec;
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
}

const prepared = new WeakMap<object, PreparedMethod>();

/** Prepares a method; the second time it is only looked up. */
export function prepareMethod(method: UnaryMethod | StreamingMethod): PreparedMethod {
  const known = prepared.get(method);
  if (known !== undefined) return known;
  const made: PreparedMethod = {
    path: methodPath(method),
    prefix: requestPrefix(method.parent.typeName, method.name),
    input: codecFor(method.input),
    output: codecFor(method.output),
    clientStreams: clientStreams(method),
    serverStreams: serverStreams(method),
  };
  prepared.set(method, made);
  return made;
}
