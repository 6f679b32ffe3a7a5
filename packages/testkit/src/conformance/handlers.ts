// The service of the Connect conformance suite: each request says how it is to be answered, and each answer says what the server
// saw of the request. Knows no wire.
import { setTimeout as pause } from "node:timers/promises";
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { type Code, type HandlerContext, type Handlers, isCode, RpcError } from "@guestwire/rpc";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  ConformancePayload_RequestInfoSchema,
  type ConformancePayloadSchema,
  type ConformanceService,
  type Error as ErrorDefinition,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "../gen/connectrpc/conformance/v1/service_pb.js";
import { append, toHeaders } from "./headers.js";

type Payload = MessageInitShape<typeof ConformancePayloadSchema>;
type RequestInfo = MessageShape<typeof ConformancePayload_RequestInfoSchema>;

/** The suite's handlers. Stateless. `Unimplemented` has none, as the suite wants it. */
export const conformanceHandlers: Partial<Handlers<typeof ConformanceService>> = {
  async unary(request, context) {
    return { payload: await one(request.responseDefinition, [packed(UnaryRequestSchema, request)], context) };
  },
  async idempotentUnary(request, context) {
    return { payload: await one(request.responseDefinition, [packed(IdempotentUnaryRequestSchema, request)], context) };
  },
  async clientStream(requests, context) {
    const seen: Any[] = [];
    let definition: UnaryResponseDefinition | undefined;
    for await (const request of requests) {
      if (seen.length === 0) definition = request.responseDefinition;
      seen.push(packed(ClientStreamRequestSchema, request));
    }
    return { payload: await one(definition, seen, context) };
  },
  async *serverStream(request, context) {
    const definition = request.responseDefinition;
    if (definition === undefined) return;
    const seen = [packed(ServerStreamRequestSchema, request)];
    setMetadata(definition, context);
    yield* rest(definition, 0, seen, context);
  },
  async *bidiStream(requests, context) {
    let definition: StreamResponseDefinition | undefined;
    let fullDuplex = false;
    let first = true;
    let sent = 0;
    let seen: Any[] = [];
    for await (const request of requests) {
      seen.push(packed(BidiStreamRequestSchema, request));
      if (first) {
        first = false;
        ({ responseDefinition: definition, fullDuplex } = request);
        if (definition !== undefined) setMetadata(definition, context);
      }
      if (!fullDuplex) continue;
      const data = definition?.responseData[sent];
      if (definition === undefined || data === undefined) break;
      await delay(definition.responseDelayMs, context);
      // Only the first answer tells of headers and time: the others would say the same.
      const requestInfo =
        sent === 0 ? info(seen, context) : create(ConformancePayload_RequestInfoSchema, { requests: seen });
      sent++;
      seen = [];
      yield { payload: { data, requestInfo } };
    }
    if (definition !== undefined) yield* rest(definition, sent, seen, context);
  },
};

async function one(
  definition: UnaryResponseDefinition | undefined,
  seen: Any[],
  context: HandlerContext,
): Promise<Payload> {
  const requestInfo = info(seen, context);
  if (definition === undefined) return { requestInfo };
  setMetadata(definition, context);
  await delay(definition.responseDelayMs, context);
  const { response } = definition;
  if (response.case === "error") throw failure(response.value, requestInfo);
  return { requestInfo, ...(response.case === "responseData" && { data: response.value }) };
}

/** The responses from this one on, and the error at the end. */
async function* rest(
  definition: StreamResponseDefinition,
  sent: number,
  seen: Any[],
  context: HandlerContext,
): AsyncGenerator<{ payload: Payload }> {
  for (let i = sent; i < definition.responseData.length; i++) {
    await delay(definition.responseDelayMs, context);
    const data = definition.responseData[i] as Uint8Array;
    yield { payload: i === 0 ? { data, requestInfo: info(seen, context) } : { data } };
  }
  if (definition.error === undefined) return;
  // What was seen goes with the error where no response told it.
  throw failure(definition.error, definition.responseData.length === 0 ? info(seen, context) : undefined);
}

function setMetadata(
  definition: StreamResponseDefinition | UnaryResponseDefinition,
  { responseHeader, responseTrailer }: HandlerContext,
): void {
  append(responseHeader, definition.responseHeaders);
  append(responseTrailer, definition.responseTrailers);
}

function info(requests: Any[], context: HandlerContext): RequestInfo {
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: toHeaders(context.metadata),
    requests,
    ...(context.deadline !== undefined && { timeoutMs: BigInt(Math.floor(context.timeRemainingMs())) }),
  });
}

function failure(error: ErrorDefinition, requestInfo: RequestInfo | undefined): RpcError {
  const code: number = error.code;
  if (!isCode(code)) throw new Error(`the suite asked for an error with code ${code}`);
  return new RpcError(code satisfies Code, error.message ?? "", {
    details: [
      ...error.details,
      ...(requestInfo === undefined ? [] : [{ schema: ConformancePayload_RequestInfoSchema, value: requestInfo }]),
    ],
  });
}

function packed<S extends DescMessage>(schema: S, message: MessageShape<S>): Any {
  return anyPack(schema, message);
}

async function delay(ms: number, { signal }: HandlerContext): Promise<void> {
  if (ms > 0) await pause(ms, undefined, { signal });
}
