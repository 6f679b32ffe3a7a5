// @grpc/grpc-js with messages loaded by @grpc/proto-loader (protobufjs), what most programs on grpc-js use.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Stack } from "../stack.js";
import { type Echo, grpcjsStack } from "./grpcjs.js";

/** @grpc/grpc-js with protobufjs. */
export const grpcjsProtobufjs: Stack = grpcjsStack(() => ({
  service: echoService(),
  request: (payload) => ({ payload }),
  splitRequest: (count, payload) => ({ count, payload }),
  response: (payload, number) => ({ payload, number: String(number) }) as Echo,
  numberOf: (response) => Number((response as Echo & { number: string }).number),
}));

function echoService(): ServiceClientConstructor {
  const testkit = dirname(createRequire(import.meta.url).resolve("@guestwire/testkit/package.json"));
  const definition = loadSync("guestwire/test/v1/echo.proto", {
    includeDirs: [join(testkit, "proto")],
    longs: String,
    defaults: true,
  });
  const root = loadPackageDefinition(definition) as unknown as {
    guestwire: { test: { v1: { EchoService: ServiceClientConstructor } } };
  };
  return root.guestwire.test.v1.EchoService;
}
