// What a client needs to know of a method, worked out once: its encoded names, its codecs, its kind.
import { codecFor, type Sink } from "@guestwire/rpc/codec";
import {
  clientStreams,
  methodPath,
  type StreamingMethod,
  serverStreams,
  type UnaryMethod,
} from "@guestwire/rpc/transport";
import { requestPrefix } from "./envelope.js";

/** What the wire needs of a message's codec. */
export interface MessageCodec {
  encode(message: never, sink: Sink): void;
  decode(bytes: Buffer, start: number, end: number): object;
}

/** A method ready to be called. */
export interface PreparedMethod {
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** The first bytes of every request: service and method. */
  readonly prefix: Buffer;
  readonly input: MessageCodec;
  readonly output: MessageCodec;
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
    input: codecFor(method.input) as MessageCodec,
    output: codecFor(method.output) as MessageCodec,
    clientStreams: clientStreams(method),
    serverStreams: serverStreams(method),
  };
  prepared.set(method, made);
  return made;
}
