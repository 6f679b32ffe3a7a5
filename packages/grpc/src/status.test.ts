// Errors on gRPC's wire: code, message and details both ways, and what is made of statuses that contradict themselves.
import { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Code, createClient, Metadata, RpcError } from "@guestwire/rpc";
import { EchoRequestSchema, EchoService, propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { plainServer } from "./plain-server.test.support.js";
import { fromGrpcStatus, toGrpcStatus } from "./status.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const details = (text: string) => [{ schema: EchoRequestSchema, value: { text } }];

describe("to a status and back", () => {
  test("code, message and details are the same", () => {
    const codes = fc.constantFrom(...Object.values(Code));
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(codes, text, fc.array(text), (code, message, texts) => {
        const error = new RpcError(code, message, { details: texts.flatMap(details) });
        const back = fromGrpcStatus(toGrpcStatus(error), { method: "/a.B/C", peer: "p" });
        expect([back.code, back.rawMessage, back.method, back.peer]).toEqual([code, message, "/a.B/C", "p"]);
        expect(back.findDetails(EchoRequestSchema).map((detail) => detail.text)).toEqual(texts);
        expect(back.metadata?.size).toBe(0);
      }),
    );
  });

  test("half a surrogate pair becomes a replacement character, as it has no form in UTF-8", () => {
    expect(toGrpcStatus(new RpcError(Code.Aborted, "a\ud800b")).details).toBe("a\ufffdb");
  });

  test("the trailer is the error's metadata, without gRPC's own keys", () => {
    const error = new RpcError(Code.Aborted, "x", { details: details("d") });
    const status = toGrpcStatus(error, new Metadata({ "x-trailer": "1" }));
    expect([...(fromGrpcStatus(status, {}).metadata ?? [])]).toEqual([["x-trailer", "1"]]);
  });
});

describe("a status that contradicts its details", () => {
  test("has the code and the message of the status, and the details all the same", () => {
    const status = toGrpcStatus(new RpcError(Code.NotFound, "in the details", { details: details("d") }));
    const error = fromGrpcStatus({ ...status, code: Code.Aborted as number, details: "in the status" }, {});
    expect([error.code, error.rawMessage]).toEqual([Code.Aborted, "in the status"]);
    expect(error.findDetails(EchoRequestSchema)).toHaveLength(1);
  });

  test("has none where they are broken", () => {
    const metadata = new GrpcMetadata();
    metadata.set("grpc-status-details-bin", Buffer.from([0x1a, 0xff]));
    const error = fromGrpcStatus({ code: 5, details: "gone", metadata }, {});
    expect([error.code, error.rawMessage, error.details]).toEqual([Code.NotFound, "gone", []]);
  });

  test("a code that gRPC does not know is Unknown", () => {
    expect(fromGrpcStatus({ code: 99 as never, details: "odd", metadata: new GrpcMetadata() }, {}).code).toBe(
      Code.Unknown,
    );
  });
});

test("details and trailers arrive from a server that knows nothing of ours", async () => {
  await using server = await plainServer({
    echo: (_, done) =>
      done(
        toGrpcStatus(
          new RpcError(Code.FailedPrecondition, "100 % \n ü", { details: details("hint") }),
          new Metadata({ "x-t": "1" }),
        ),
      ),
  });
  await using channel = connect(server.address);
  let trailer: Metadata | undefined;
  const call = createClient(EchoService, channel).echo({}, { onTrailer: (given) => (trailer = given) });
  const error = RpcError.from(await call.catch((thrown: unknown) => thrown));
  expect(error).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "100 % \n ü", peer: server.address });
  expect(error.findDetails(EchoRequestSchema).map(({ text }) => text)).toEqual(["hint"]);
  expect(error.metadata?.get("x-t")).toBe("1");
  expect(trailer?.get("x-t")).toBe("1");
});
