// The service of gRPC's interoperability tests, by the public descriptions of its cases. Knows no wire.
import { setTimeout as pause } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, type HandlerContext, type Handlers, isCode, type Metadata, RpcError } from "@guestwire/rpc";
import type {
  EchoStatus,
  PayloadSchema,
  StreamingOutputCallRequest,
  StreamingOutputCallResponseSchema,
} from "../gen/grpc/testing/messages_pb.js";
import type { TestService } from "../gen/grpc/testing/test_pb.js";

/** Metadata that a server gives back in the header of its response. */
export const echoInitialKey = "x-grpc-test-echo-initial";
/** Metadata that a server gives back in the trailer of its response. */
export const echoTrailingKey = "x-grpc-test-echo-trailing-bin";

type Output = MessageInitShape<typeof StreamingOutputCallResponseSchema>;

/**
 * The service's handlers. `UnimplementedCall` has none, as the tests want it.
 *
 * @param saw Told of each call's metadata: for wires that cannot give it back. Default: nobody is.
 */
export function interopHandlers(saw: (metadata: Metadata) => void = () => {}): Partial<Handlers<typeof TestService>> {
  const begin = (context: HandlerContext): void => {
    saw(context.metadata);
    const initial = context.metadata.get(echoInitialKey);
    if (initial !== undefined) context.responseHeader.append(echoInitialKey, initial);
    const trailing = context.metadata.get(echoTrailingKey);
    if (trailing !== undefined) context.responseTrailer.append(echoTrailingKey, trailing);
  };
  return {
    emptyCall: () => ({}),
    unaryCall(request, context) {
      begin(context);
      failWith(request.responseStatus);
      return {
        payload: payload(request.responseSize),
        ...(request.fillServerId && { serverId: `guestwire-${process.pid}` }),
      };
    },
    cacheableUnaryCall: (request) => ({ payload: payload(request.responseSize) }),
    async *streamingOutputCall(request, context) {
      begin(context);
      yield* answers(request, context);
    },
    async streamingInputCall(requests, context) {
      begin(context);
      let aggregatedPayloadSize = 0;
      for await (const request of requests) aggregatedPayloadSize += request.payload?.body.length ?? 0;
      return { aggregatedPayloadSize };
    },
    async *fullDuplexCall(requests, context) {
      begin(context);
      for await (const request of requests) yield* answers(request, context);
    },
    async *halfDuplexCall(requests, context) {
      begin(context);
      const received: StreamingOutputCallRequest[] = [];
      for await (const request of requests) received.push(request);
      for (const request of received) yield* answers(request, context);
    },
  };
}

async function* answers(request: StreamingOutputCallRequest, { signal }: HandlerContext): AsyncGenerator<Output> {
  failWith(request.responseStatus);
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs > 0) await pause(intervalUs / 1000, undefined, { signal });
    yield { payload: payload(size) };
  }
}

function payload(size: number): MessageInitShape<typeof PayloadSchema> {
  if (size < 0) throw new RpcError(Code.InvalidArgument, `a payload cannot have ${size} bytes`);
  return { body: new Uint8Array(size) };
}

function failWith(status: EchoStatus | undefined): void {
  if (status === undefined || status.code === 0) return;
  throw new RpcError(isCode(status.code) ? status.code : Code.Unknown, status.message);
}
