// RpcError and ConnectError: each is made into the other, and back, with all that it holds.
import { create, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { Code, Metadata, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { toConnectError, toRpcError } from "./errors.js";

const value = toBinary(StringValueSchema, create(StringValueSchema, { value: "d" }));

describe("of an RpcError", () => {
  const cause = new Error("below");
  const error = new RpcError(Code.NotFound, "no machine", {
    cause,
    details: [
      { typeUrl: "google.protobuf.StringValue", value },
      { schema: DurationSchema, value: { seconds: 5n } },
    ],
    metadata: new Metadata({ "x-trailer": "t" }),
    method: "/a.B/C",
    peer: "unix:///a.sock",
  });

  test("has code, text, cause, details and metadata", () => {
    const made = toConnectError(error, new Metadata({ "x-header": "h" }));
    expect(made).toBeInstanceOf(ConnectError);
    expect(made).toMatchObject({ code: ConnectCode.NotFound, rawMessage: "no machine", cause, isWireError: true });
    expect(made.message).toBe("[not_found] no machine");
    expect(made.findDetails(StringValueSchema)).toEqual([create(StringValueSchema, { value: "d" })]);
    expect(made.findDetails(DurationSchema)).toEqual([create(DurationSchema, { seconds: 5n })]);
    expect(Object.fromEntries(made.metadata)).toEqual({ "x-header": "h", "x-trailer": "t" });
    expect(toConnectError(made)).toBe(made);
  });

  test("goes back as the object that it was, if nobody changed it", () => {
    expect(toRpcError(toConnectError(error, new Metadata({ "x-header": "h" })))).toBe(error);
  });

  test("goes back with what was changed, and with all the rest", () => {
    const made = toConnectError(error);
    made.metadata.set("x-more", "m");
    made.details.push({ desc: StringValueSchema, value: { value: "more" } });
    const back = toRpcError(made);
    expect(back).not.toBe(error);
    expect(back).toMatchObject({ code: Code.NotFound, method: "/a.B/C", peer: "unix:///a.sock", cause });
    expect(back.details.map(({ typeUrl }) => typeUrl)).toEqual([
      "google.protobuf.StringValue",
      "type.googleapis.com/google.protobuf.Duration",
      "type.googleapis.com/google.protobuf.StringValue",
    ]);
    expect(back.metadata?.get("x-more")).toBe("m");
  });

  test("that no server sent is no wire error", () => {
    expect(toConnectError(new RpcError(Code.Unavailable, "x")).isWireError).toBe(false);
    const parts = { method: "/a.B/C", reason: "connect_failed" } as const;
    expect(toConnectError(new RpcError(Code.Unavailable, "x", parts)).isWireError).toBe(false);
    expect(toRpcError(toConnectError(new RpcError(Code.Unavailable, "x", parts))).reason).toBe("connect_failed");
  });
});

describe("of a ConnectError", () => {
  test("has code, text, cause, details and metadata, and names the call", () => {
    const cause = new Error("below");
    const details = [{ desc: StringValueSchema, value: { value: "out" } }];
    const error = new ConnectError("no", ConnectCode.DataLoss, { "x-a": "1", "x-b-bin": "AQ, Ag" }, details, cause);
    error.details.push({ type: "google.protobuf.StringValue", value });
    const made = toRpcError(error, { method: "/a.B/C", peer: "p" });
    expect(made).toMatchObject({ code: Code.DataLoss, rawMessage: "no", cause, method: "/a.B/C", peer: "p" });
    expect(made.message).toBe("[data_loss] no");
    expect(made.findDetails(StringValueSchema).map((detail) => detail.value)).toEqual(["out", "d"]);
    expect(made.metadata?.get("x-a")).toBe("1");
    expect(made.metadata?.getAll("x-b-bin")).toEqual(["AQ", "Ag"]);
    expect(toConnectError(made)).toBe(error);
    expect(toRpcError(made)).toBe(made);
  });

  test("without metadata, details and cause has none", () => {
    const made = toRpcError(new ConnectError("no"));
    expect(made).toMatchObject({ code: Code.Unknown, details: [], metadata: undefined, reason: undefined });
    expect(made.cause).toBeUndefined();
    expect(toRpcError(new ConnectError("odd", 99 as ConnectCode)).code).toBe(Code.Unknown);
  });
});

test.each(Object.values(Code))("code %i is the same on both sides", (code) => {
  expect(toConnectError(new RpcError(code, "x")).code).toBe(code);
  expect(toRpcError(new ConnectError("x", code as number)).code).toBe(code);
});

test("anything else becomes what each side makes of it", () => {
  expect(toConnectError(new TypeError("boom"))).toMatchObject({ code: ConnectCode.Unknown, rawMessage: "boom" });
  expect(toRpcError(new TypeError("boom"), { method: "/a.B/C" })).toMatchObject({
    code: Code.Unknown,
    rawMessage: "boom",
    method: "/a.B/C",
    cause: expect.any(TypeError),
  });
  expect(toRpcError(AbortSignal.abort().reason)).toMatchObject({ code: Code.Canceled });
  expect(toConnectError(AbortSignal.abort().reason)).toMatchObject({ code: ConnectCode.Canceled });
});
