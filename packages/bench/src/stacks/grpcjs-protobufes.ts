// @grpc/grpc-js with messages of protobuf-es, encoded and decoded by protobuf-es itself.
import { create, type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type MethodDefinition, makeGenericClientConstructor } from "@grpc/grpc-js";
import { EchoService } from "@guestwire/testkit/echo";
import type { Stack } from "../stack.js";
import { type Echo, grpcjsStack } from "./grpcjs.js";

const { echo, split } = EchoService.method;

/** @grpc/grpc-js with protobuf-es. */
export const grpcjsProtobufes: Stack = grpcjsStack(() => ({
  service: makeGenericClientConstructor(
    Object.fromEntries(EchoService.methods.map((method) => [method.localName, definitionOf(method)])),
    EchoService.typeName,
  ),
  request: (payload) => create(echo.input, { payload }),
  splitRequest: (count, payload) => create(split.input, { count, payload }),
  response: (payload, number) =>
    create(echo.output, { payload: payload as Uint8Array<ArrayBuffer>, number: BigInt(number) }),
  numberOf: (response) => Number((response as Echo & { number: bigint }).number),
}));

function definitionOf(method: DescMethod): MethodDefinition<object, object> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    ...serializer("request", method.input),
    ...serializer("response", method.output),
  } as MethodDefinition<object, object>;
}

function serializer(end: "request" | "response", schema: DescMessage): object {
  return {
    [`${end}Serialize`](message: MessageShape<DescMessage>) {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    [`${end}Deserialize`]: (bytes: Buffer) => fromBinary(schema, bytes),
  };
}
