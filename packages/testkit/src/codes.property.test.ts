// An error goes through every wire and comes back as the same: the codes of ttrpc, gRPC and Connect are one set.
import { Code as ConnectCode } from "@connectrpc/connect";
import { Code, RpcError } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toConnectError, toRpcError } from "../../connect/src/errors.js";
import { fromGrpcStatus, toGrpcStatus } from "../../grpc/src/status.js";
import { ResponseEnvelope, writeErrorResponse } from "../../ttrpc/src/envelope.js";
import { propertySeed } from "./property-seed.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const codes: readonly Code[] = Object.values(Code);

function overTtrpc(error: RpcError): RpcError {
  const sink = new Sink();
  writeErrorResponse(sink, error);
  const bytes = Buffer.from(sink.toBytes());
  const envelope = new ResponseEnvelope();
  envelope.read(bytes, 0, bytes.length);
  const { code = 0, message = "", details = [] } = envelope.status ?? {};
  return new RpcError(code as Code, message, { details });
}

const overGrpc = (error: RpcError): RpcError => fromGrpcStatus(toGrpcStatus(error), {});

function overConnect(error: RpcError): RpcError {
  const there = toConnectError(error);
  expect(ConnectCode[there.code]).toBe(Object.keys(Code)[there.code - 1]);
  // Changed, so that it is not the object that it was made of which comes back.
  there.details = there.details.map((detail) => ({ ...detail }));
  return toRpcError(there);
}

const wires = { overTtrpc, overGrpc, overConnect };
const errors = fc
  .record({
    code: fc.constantFrom(...codes),
    message: fc.string({ unit: "binary", maxLength: 60 }),
    details: fc.array(
      fc.record({ name: fc.stringMatching(/^[a-z.]{1,20}$/), value: fc.uint8Array({ maxLength: 30 }) }),
      {
        maxLength: 3,
      },
    ),
  })
  .map(({ code, message, details }) => {
    const given = details.map(({ name, value }) => ({ typeUrl: `type.googleapis.com/${name}`, value }));
    return new RpcError(code, message, { details: given });
  });

test("on every wire each code is a code of its own and comes back", () => {
  for (const [name, over] of Object.entries(wires)) {
    const back = codes.map((code) => over(new RpcError(code, "x")).code);
    expect(back, name).toEqual(codes);
  }
});

test("an error is the same after any way over the wires", () => {
  fc.assert(
    fc.property(errors, fc.array(fc.constantFrom(...Object.values(wires)), { maxLength: 6 }), (error, way) => {
      const back = way.reduce((last, over) => over(last), error);
      expect(back.code).toBe(error.code);
      expect(back.rawMessage).toBe(error.rawMessage);
      const plain = ({ details }: RpcError) =>
        details.map(({ typeUrl, value }) => [
          typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
          Buffer.from(value).toString("hex"),
        ]);
      expect(plain(back)).toEqual(plain(error));
    }),
  );
});
