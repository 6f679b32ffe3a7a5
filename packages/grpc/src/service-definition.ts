// Services in grpc-js' own form, for programs that have servers and clients of grpc-js and keep them. No calls here.
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from "@grpc/grpc-js";
import { clientStreams, methodPath, serverStreams } from "@guestwire/rpc/transport";
import { deserializerOf, serializerOf } from "./serialize.js";

/** One method in grpc-js' form. Takes inits of messages where it sends, gives messages where it receives. */
export interface GrpcMethodDefinition<
  I extends DescMessage,
  O extends DescMessage,
  RequestStream extends boolean = boolean,
  ResponseStream extends boolean = boolean,
> {
  /** As `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  readonly requestStream: RequestStream;
  readonly responseStream: ResponseStream;
  /** The name in the schema, as `Inspect`, by which grpc-js knows the method too. */
  readonly originalName: string;
  readonly requestSerialize: (message: MessageInitShape<I>) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => MessageShape<I>;
  readonly responseSerialize: (message: MessageInitShape<O>) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => MessageShape<O>;
}

/** A service in grpc-js' form: its methods by their names in lower camel case. */
export type GrpcServiceDefinition<S extends DescService> = {
  readonly [K in keyof S["method"]]: DefinitionOf<S["method"][K]>;
};

/** The handlers of a service as grpc-js' `addService` takes them. */
export type GrpcHandlers<S extends DescService> = {
  [K in keyof S["method"]]: HandlerOf<S["method"][K]>;
};

type DefinitionOf<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? GrpcMethodDefinition<I, O, false, false>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? GrpcMethodDefinition<I, O, false, true>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? GrpcMethodDefinition<I, O, true, false>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? GrpcMethodDefinition<I, O, true, true>
          : never;

type HandlerOf<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? handleUnaryCall<MessageShape<I>, MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? handleServerStreamingCall<MessageShape<I>, MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? handleClientStreamingCall<MessageShape<I>, MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? handleBidiStreamingCall<MessageShape<I>, MessageInitShape<O>>
          : never;

/**
 * A service in grpc-js' form, for `Server.addService` and `makeGenericClientConstructor`.
 *
 * @example
 * const handlers: Partial<GrpcHandlers<typeof MachineService>> = {
 *   inspect: (call, callback) => callback(null, { id: call.request.id, state: "running" }),
 * };
 * new grpc.Server().addService(toServiceDefinition(MachineService), handlers);
 */
export function toServiceDefinition<S extends DescService>(service: S): GrpcServiceDefinition<S> {
  const methods = service.methods.map((method) => [method.localName, definitionOf(method)]);
  return Object.fromEntries(methods) as GrpcServiceDefinition<S>;
}

function definitionOf(method: DescMethod): GrpcMethodDefinition<DescMessage, DescMessage> {
  return {
    path: methodPath(method),
    requestStream: clientStreams(method),
    responseStream: serverStreams(method),
    originalName: method.name,
    requestSerialize: serializerOf(method.input),
    requestDeserialize: deserializerOf(method.input),
    responseSerialize: serializerOf(method.output),
    responseDeserialize: deserializerOf(method.output),
  };
}
