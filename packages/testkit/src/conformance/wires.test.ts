// The Connect conformance suite's service where its runner cannot go: over ttrpc and in one process, by a table of our own after
// its cases. gRPC runs beside them, so that the table itself is held to what the suite says.
import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack, EmptySchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@guestwire/grpc";
import { type Channel, Code, codeName, createClient, createInProcessChannel, createRouter } from "@guestwire/rpc";
import * as ttrpc from "@guestwire/ttrpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ClientCompatRequest_CancelSchema,
  ClientCompatRequestSchema,
  type ClientResponseResult,
  ClientResponseResultSchema,
} from "../gen/connectrpc/conformance/v1/client_compat_pb.js";
import { type Code as ConformanceCode, StreamType } from "../gen/connectrpc/conformance/v1/config_pb.js";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  ConformancePayload_RequestInfoSchema,
  ConformanceService,
  ErrorSchema,
  HeaderSchema,
  ServerStreamRequestSchema,
  UnaryRequestSchema,
} from "../gen/connectrpc/conformance/v1/service_pb.js";
import { type TempFolder, tempFolder } from "../temp-folder.js";
import { call } from "./calls.js";
import { conformanceHandlers } from "./handlers.js";

type Description = MessageInitShape<typeof ClientCompatRequestSchema>;

const data = [Buffer.from("first"), Buffer.from("second")];
const detail = anyPack(HeaderSchema, create(HeaderSchema, { name: "why", value: ["because"] }));
const requestHeaders = [{ name: "x-guestwire", value: ["seen"] }];
const codes = Object.values(Code);

let folder: TempFolder;
let opened: Record<string, Channel>;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = await tempFolder();
  const ours = ttrpc.serve().service(ConformanceService, conformanceHandlers);
  const beside = grpc.serve().service(ConformanceService, conformanceHandlers);
  opened = {
    "in-process": createInProcessChannel(createRouter().service(ConformanceService, conformanceHandlers)),
    ttrpc: ttrpc.connect(await ours.listen(`unix://${folder.file("t.sock")}`)),
    gRPC: grpc.connect(await beside.listen(`unix://${folder.file("g.sock")}`)),
  };
  ends.push(
    () => ours.close({ graceMs: 0 }),
    () => beside.close({ graceMs: 0 }),
  );
});
afterAll(async () => {
  for (const channel of Object.values(opened)) await channel.close();
  for (const end of ends) await end();
  await folder[Symbol.asyncDispose]();
});

describe.each(["in-process", "ttrpc", "gRPC"])("over %s", (wire) => {
  const outcome = async (description: Description): Promise<ClientResponseResult> => {
    const channel = opened[wire] as Channel;
    const request = create(ClientCompatRequestSchema, { requestHeaders, ...description });
    return create(ClientResponseResultSchema, await call(createClient(ConformanceService, channel), request));
  };

  test("unary: data, the request, its metadata and its time come back", async () => {
    const request = create(UnaryRequestSchema, {
      responseDefinition: respond({ case: "responseData", value: data[0]! }),
    });
    const packed = anyPack(UnaryRequestSchema, request);
    const found = await outcome({ method: "Unary", requestMessages: [packed], timeoutMs: 30_000 });
    expect(found.error).toBeUndefined();
    const { requestInfo } = found.payloads[0] ?? {};
    expect(text(found)).toEqual(["first"]);
    expect(requestInfo?.requests).toEqual([packed]);
    expect(requestInfo?.requestHeaders.find(({ name }) => name === "x-guestwire")?.value).toEqual(["seen"]);
    expect(Number(requestInfo?.timeoutMs)).toBeLessThanOrEqual(30_000);
    expect(Number(requestInfo?.timeoutMs)).toBeGreaterThan(0);
  });

  test.each(codes.map((code) => [codeName(code), code] as const))(
    "unary: %s with message and details",
    async (_, code) => {
      const value = failure(code, `failed with ${code} ☺`);
      const responseDefinition = respond({ case: "error", value });
      const found = await outcome({ method: "Unary", requestMessages: [unary(responseDefinition)] });
      expect(found.payloads).toEqual([]);
      expect(found.error).toMatchObject({ code, message: `failed with ${code} ☺` });
      // The suite's own details first, then what the server saw.
      expect(found.error?.details[0]).toMatchObject({ value: detail.value });
      expect(found.error?.details[1]?.typeUrl).toContain(ConformancePayload_RequestInfoSchema.typeName);
    },
  );

  test("client stream: all requests are seen, in order", async () => {
    const responseDefinition = respond({ case: "responseData", value: data[1]! });
    const requestMessages = [{ responseDefinition }, { requestData: data[0]! }, { requestData: data[1]! }].map((init) =>
      anyPack(ClientStreamRequestSchema, create(ClientStreamRequestSchema, init)),
    );
    const found = await outcome({ method: "ClientStream", requestMessages });
    expect(found.error).toBeUndefined();
    expect(text(found)).toEqual(["second"]);
    expect(found.payloads[0]?.requestInfo?.requests).toEqual(requestMessages);
    expect(found.numUnsentRequests).toBe(0);
  });

  test.each(codes.map((code) => [codeName(code), code] as const))(
    "server stream: %s behind its messages",
    async (_, code) => {
      const error = failure(code, "late");
      const found = await outcome({ method: "ServerStream", requestMessages: [serverStream(data, error)] });
      expect(text(found)).toEqual(["first", "second"]);
      expect(found.error).toMatchObject({ code, message: "late" });
      expect(found.error?.details).toHaveLength(1);
    },
  );

  test("server stream: without messages it ends well", async () => {
    const found = await outcome({ method: "ServerStream", requestMessages: [serverStream([])] });
    expect(found).toMatchObject({ payloads: [] });
    expect(found.error).toBeUndefined();
  });

  test("half duplex: the answers come when the requests have ended", async () => {
    const found = await outcome({ ...bidi(false), streamType: StreamType.HALF_DUPLEX_BIDI_STREAM });
    expect(found.error).toBeUndefined();
    expect(found.payloads.map(({ requestInfo }) => requestInfo?.requests.length)).toEqual([2, undefined]);
  });

  test("full duplex: each request is answered before the next", async () => {
    const found = await outcome({ ...bidi(true), streamType: StreamType.FULL_DUPLEX_BIDI_STREAM });
    expect(found.error).toBeUndefined();
    expect(found.payloads.map(({ requestInfo }) => requestInfo?.requests.length)).toEqual([1, 1]);
    expect(text(found)).toEqual(["first", "second"]);
  });

  test("a deadline ends what takes too long", async () => {
    const responseDefinition = { ...respond({ case: "responseData", value: data[0]! }), responseDelayMs: 60_000 };
    const found = await outcome({ method: "Unary", requestMessages: [unary(responseDefinition)], timeoutMs: 50 });
    expect(found.error).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test.each([
    ["before the requests end", { case: "beforeCloseSend", value: create(EmptySchema) }, 0],
    ["after the requests ended", { case: "afterCloseSendMs", value: 5 }, 0],
    ["after the first response", { case: "afterNumResponses", value: 1 }, 1],
  ] as const)("canceled %s", async (_, cancelTiming, answers) => {
    const full = answers > 0;
    const streamType = full ? StreamType.FULL_DUPLEX_BIDI_STREAM : StreamType.HALF_DUPLEX_BIDI_STREAM;
    const found = await outcome({
      ...bidi(full, 60_000 * (1 - answers)),
      streamType,
      cancel: create(ClientCompatRequest_CancelSchema, { cancelTiming }),
    });
    expect(found.error).toMatchObject({ code: Code.Canceled });
    expect(found.payloads).toHaveLength(answers);
  });

  test("what has no handler is unimplemented", async () => {
    const requestMessages = [{ typeUrl: "/connectrpc.conformance.v1.UnimplementedRequest" }];
    const found = await outcome({ method: "Unimplemented", requestMessages });
    expect(found.error).toMatchObject({ code: Code.Unimplemented });
  });
});

type ErrorDefinition = MessageShape<typeof ErrorSchema>;
type UnaryDefinition = NonNullable<MessageInitShape<typeof UnaryRequestSchema>["responseDefinition"]>;
type StreamDefinition = NonNullable<MessageInitShape<typeof ServerStreamRequestSchema>["responseDefinition"]>;

function failure(code: number, message: string): ErrorDefinition {
  return create(ErrorSchema, { code: code as ConformanceCode, message, details: [detail] });
}

function respond(response: NonNullable<UnaryDefinition["response"]>): UnaryDefinition {
  return { response };
}

function unary(responseDefinition: UnaryDefinition): Any {
  return anyPack(UnaryRequestSchema, create(UnaryRequestSchema, { responseDefinition }));
}

function serverStream(responseData: Buffer[], error?: ErrorDefinition): Any {
  const responseDefinition: StreamDefinition = { responseData, ...(error !== undefined && { error }) };
  return anyPack(ServerStreamRequestSchema, create(ServerStreamRequestSchema, { responseDefinition }));
}

function bidi(fullDuplex: boolean, responseDelayMs = 0): Description {
  const first = { responseDefinition: { responseData: data, responseDelayMs }, fullDuplex };
  const requestMessages = [first, { requestData: data[1]! }].map((init) =>
    anyPack(BidiStreamRequestSchema, create(BidiStreamRequestSchema, init)),
  );
  return { method: "BidiStream", requestMessages };
}

function text(outcome: ClientResponseResult): string[] {
  return outcome.payloads.map((payload) => Buffer.from(payload.data).toString());
}
