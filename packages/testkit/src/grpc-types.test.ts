// The types that @guestwire/grpc makes of a descriptor for users of grpc-js. Here, as this package's tests are compiled.
import type * as grpc from "@grpc/grpc-js";
import { type GrpcHandlers, toServiceDefinition } from "@guestwire/grpc";
import { expect, expectTypeOf, test } from "vitest";
import { type EchoRequest, type EchoResponse, EchoService } from "./gen/guestwire/test/v1/echo_pb.js";

const definition = toServiceDefinition(EchoService);

test("the types follow the descriptor", () => {
  expectTypeOf(definition).toExtend<grpc.ServiceDefinition>();
  expectTypeOf(definition.echo).toExtend<grpc.MethodDefinition<EchoRequest, EchoResponse>>();
  expectTypeOf(definition.echo.requestSerialize).toBeCallableWith({ text: "an init" });
  expectTypeOf(definition.echo.responseDeserialize).returns.toEqualTypeOf<EchoResponse>();
  expectTypeOf(definition.echo.requestStream).toEqualTypeOf<false>();
  expectTypeOf(definition.chat.requestStream).toEqualTypeOf<true>();
  expectTypeOf(definition.chat.responseStream).toEqualTypeOf<true>();
  expectTypeOf<GrpcHandlers<typeof EchoService>["split"]>().parameter(0).toHaveProperty("request");
  // @ts-expect-error: there is no such method.
  expect(definition.shout).toBeUndefined();
  // @ts-expect-error: a number is no text.
  expect(() => definition.echo.requestSerialize({ text: 7 })).toThrow(/text/);
});
