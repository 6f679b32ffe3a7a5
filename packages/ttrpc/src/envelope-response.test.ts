// The envelope of responses, held against the generated codec.
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, RpcError } from "@guestwire/rpc";
import { Sink } from "@guestwire/rpc/codec";
import { WireError } from "@guestwire/rpc/transport";
import { propertySeed, unhex } from "@guestwire/testkit";
import { StatusSchema } from "@guestwire/types/google-rpc";
import { ResponseSchema } from "@guestwire/types/ttrpc";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ResponseEnvelope, writeErrorResponse } from "./envelope.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

describe("a response", () => {
  function readResponse(bytes: Uint8Array) {
    const around = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(3, 0x01)]);
    const envelope = new ResponseEnvelope();
    // Used before, as in a session: nothing of the last one may remain.
    envelope.read(unhex("0a04 0805 1200 1201 41"), 0, 9);
    envelope.read(around, 3, 3 + bytes.length);
    return {
      status: envelope.status,
      payload: around.subarray(envelope.payloadStart, envelope.payloadEnd).toString("hex"),
    };
  }

  test("without anything is OK with an empty message, as Go sends it", () => {
    expect(readResponse(Buffer.alloc(0))).toEqual({ status: undefined, payload: "" });
  });

  test("with an empty status is OK, as Rust sends it", () => {
    expect(readResponse(unhex("0a00"))).toEqual({ status: undefined, payload: "" });
    expect(readResponse(unhex("0a00 1202 0a00"))).toEqual({ status: undefined, payload: "0a00" });
  });

  test("is OK with a message in its status, and an error with a payload", () => {
    expect(readResponse(unhex("0a03 1201 78"))).toMatchObject({ status: undefined });
    expect(readResponse(unhex("0a02 0805 1201 41"))).toMatchObject({ status: { code: 5 }, payload: "41" });
  });

  test("passes over unknown fields", () => {
    expect(readResponse(unhex("1801 1201 41 2202 0000"))).toEqual({ status: undefined, payload: "41" });
  });

  test.each([
    ["17", "0a020811", Code.Unknown],
    ["-1", "0a0b08ffffffffffffffffff01", Code.Unknown],
    ["200", "0a0308c801", Code.Unknown],
    ["16", "0a020810", Code.Unauthenticated],
  ])("status code %s", (_, hex, code) => {
    expect(readResponse(unhex(hex)).status?.code).toBe(code);
  });

  test.each(["0a05 08", "12 05 41", "0a 02 1205", "0f", "0a04 1202c328"])("%s is a WireError", (hex) => {
    expect(() => readResponse(unhex(hex))).toThrow(WireError);
  });

  test("that carries an error is written and read as the generated codec does it", () => {
    const message = fc.string({ unit: "grapheme", maxLength: 200 });
    const details = fc.array(message, { maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), message, details, (code, raw, values) => {
        const error = new RpcError(code as Code, raw, {
          details: values.map((value) => ({ schema: StringValueSchema, value: { value } })),
        });
        const sink = new Sink();
        writeErrorResponse(sink, error);
        const status = create(StatusSchema, {
          code,
          message: raw,
          details: values.map((value) => anyPack(StringValueSchema, create(StringValueSchema, { value }))),
        });
        const theirs = toBinary(ResponseSchema, create(ResponseSchema, { status }));
        expect(Buffer.from(sink.toBytes()).toString("hex")).toBe(Buffer.from(theirs).toString("hex"));
        const back = readResponse(theirs).status;
        expect(back).toMatchObject({ code, message: raw });
        expect(back?.details.map(({ typeUrl }) => typeUrl)).toEqual(status.details.map(({ typeUrl }) => typeUrl));
        expect(back?.details.map(({ value }) => Buffer.from(value))).toEqual(
          status.details.map(({ value }) => Buffer.from(value)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("with a large detail is sent without copying it", () => {
    const sink = new Sink();
    const value = Buffer.alloc(10_000, 1);
    writeErrorResponse(sink, new RpcError(Code.Internal, "x", { details: [{ typeUrl: "t/y", value }] }));
    expect(sink.attachments.map(({ data }) => data)).toEqual([value]);
    expect(readResponse(sink.toBytes()).status?.details).toEqual([{ typeUrl: "t/y", value: new Uint8Array(value) }]);
  });
});
