// The type of one method, as the client sees it and as a handler has it. Mirrors ClientMethod and HandlerMethod of
// @guestwire/rpc; a type test keeps the two alike.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Printable } from "@bufbuild/protoplugin";
import type { Scope } from "./scope.js";

/** A client's function: plain objects in, messages out. */
export function clientSignature(scope: Scope, method: DescMethod): Printable {
  const { f, type, own, init } = scope;
  const request: Printable = clientStreams(method)
    ? ["requests: ", type("MessageStream"), "<", init(method.input), ">"]
    : ["request: ", init(method.input)];
  const result = serverStreams(method) ? type("ResponseStream") : own("Promise");
  return ["(", request, ", options?: ", type("CallOptions"), ") => ", result, "<", f.importShape(method.output), ">"];
}

/** A handler's function: messages in, plain objects out. */
export function handlerSignature(scope: Scope, method: DescMethod): Printable {
  const { f, type, own, init } = scope;
  const input = f.importShape(method.input);
  const request: Printable = clientStreams(method)
    ? ["requests: ", own("AsyncIterable"), "<", input, ">"]
    : ["request: ", input];
  const output = init(method.output);
  const result: Printable = serverStreams(method)
    ? [type("MessageStream"), "<", output, ">"]
    : [output, " | ", own("Promise"), "<", output, ">"];
  return ["(", request, ", context: ", type("HandlerContext"), ") => ", result];
}

function clientStreams(method: DescMethod): boolean {
  return method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
}

function serverStreams(method: DescMethod): boolean {
  return method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
}
