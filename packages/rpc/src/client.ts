// Typed clients: an object with one function per method of a service, on any channel. Knows no wire.
import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallDefaults, CallOptions, Channel } from "./channel.js";
import { Code } from "./code.js";
import { withDefaults } from "./defaults.js";
import {
  type ClientMethod,
  type MessageStream,
  methodPath,
  methodsOf,
  type ResponseStream,
  type StreamingMethod,
  type UnaryMethod,
} from "./method.js";
import { RpcError } from "./rpc-error.js";

/** A client of a service: its methods by their names in lower camel case. */
export type Client<S extends DescService> = {
  readonly [K in keyof S["method"]]: ClientMethod<S["method"][K], CallOptions>;
};

/** What all calls of one client share; comes before what the channel has set. */
export type ClientOptions = CallDefaults;

/**
 * Makes a client of a service. Cheap; the channel does the work and may be shared by any number of clients.
 *
 * @param service The generated service descriptor, as `MachineService`.
 * @param channel A transport's channel.
 * @param options Defaults and interceptors of this client alone; they run outside of the channel's.
 * @throws {RpcError} Code.InvalidArgument when the service or the channel is none, or an option is wrong.
 */
export function createClient<S extends DescService>(
  service: S,
  channel: Channel,
  options: ClientOptions = {},
): Client<S> {
  if (!Array.isArray(service?.methods)) {
    throw new RpcError(Code.InvalidArgument, "createClient() needs a generated service, as MachineService");
  }
  if (typeof channel?.unary !== "function") {
    throw new RpcError(Code.InvalidArgument, "createClient() needs a channel, as connect(address) gives one");
  }
  const over = withDefaults(channel, options);
  const client: Record<string, unknown> = Object.create(null);
  for (const [localName, method] of methodsOf(service)) client[localName] = clientMethod(method, over);
  return client as Client<S>;
}

type Init = MessageInitShape<DescMessage>;

function clientMethod(method: DescMethod, channel: Channel): unknown {
  if (isUnary(method)) return (request: Init, options?: CallOptions) => channel.unary(method, request, options);
  const streaming: StreamingMethod = method as StreamingMethod;
  if (method.methodKind === "client_streaming") {
    return (requests: MessageStream<Init>, options?: CallOptions) =>
      onlyResponse(method, channel.target, channel.stream(streaming, requests, options));
  }
  return (request: Init, options?: CallOptions) => channel.stream(streaming, request, options);
}

function isUnary(method: DescMethod): method is UnaryMethod {
  return method.methodKind === "unary";
}

/** Reads the one response of a client-streaming call; fewer and more are the server's fault. */
async function onlyResponse<T extends MessageShape<DescMessage>>(
  method: DescMethod,
  peer: string,
  responses: ResponseStream<T>,
): Promise<T> {
  const first = await responses.next();
  const second = first.done ? first : await responses.next();
  if (!first.done && second.done) return first.value;
  await responses.return();
  const text = first.done ? "ended the call without a response" : "sent more than one response";
  // gRPC gives cardinality faults this code, so that both wires agree.
  throw new RpcError(Code.Unimplemented, `the server ${text}`, {
    method: methodPath(method),
    peer,
    reason: "protocol",
  });
}
