// The one error: its forms, what becomes of whatever was thrown, its details, and copies of this package.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { create } from "@bufbuild/protobuf";
import { anyPack, DurationSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { CodecError } from "./codec/codec-error.js";
import { Metadata } from "./metadata.js";
import { RpcError, withoutStack } from "./rpc-error.js";

describe("an error", () => {
  test("has the code in front of its message", () => {
    const error = new RpcError(Code.NotFound, "no machine m1");
    expect(error.message).toBe("[not_found] no machine m1");
    expect(error.rawMessage).toBe("no machine m1");
    expect(String(error)).toBe("RpcError: [not_found] no machine m1");
    expect(error.stack).toMatch(/^RpcError: \[not_found\] no machine m1\n.*rpc-error\.test/);
    expect(new RpcError(Code.Internal, "").message).toBe("[internal] ");
  });

  test("has its other parts, or undefined", () => {
    const cause = new Error("why");
    const metadata = new Metadata({ a: "1" });
    const parts = { cause, metadata, method: "/t.Words/Shout", peer: "unix:///run/x", reason: "oversize" } as const;
    expect(new RpcError(Code.Internal, "x", parts)).toMatchObject(parts);
    const bare = new RpcError(Code.Internal, "x");
    expect([bare.metadata, bare.method, bare.peer, bare.reason, bare.cause]).toEqual(Array(5).fill(undefined));
    expect(bare.details).toEqual([]);
    expect("cause" in bare).toBe(false);
  });

  test.each([0, 17, -1, 1.5, Number.NaN, "5", undefined])("a code that is none (%s) becomes Unknown", (code) => {
    const error = new RpcError(code as Code, "x");
    expect(error.code).toBe(Code.Unknown);
    expect(error.message).toBe("[unknown] x");
  });

  test.each([undefined, null, 7, Symbol("s")])("a message that is no text (%s) becomes one", (message) => {
    const error = new RpcError(Code.Internal, message as unknown as string);
    expect(error.rawMessage).toBe(String(message));
  });

  test("withoutStack makes an error without one and leaves others as they were", () => {
    const limit = Error.stackTraceLimit;
    expect(withoutStack(() => new RpcError(Code.Internal, "x")).stack).not.toContain("\n");
    expect(Error.stackTraceLimit).toBe(limit);
    expect(() =>
      withoutStack(() => {
        throw new Error("made none");
      }),
    ).toThrow("made none");
    expect(Error.stackTraceLimit).toBe(limit);
  });
});

describe("from", () => {
  test("gives an RpcError back as it is", () => {
    const error = new RpcError(Code.Aborted, "x");
    expect(RpcError.from(error)).toBe(error);
    expect(RpcError.from(error, Code.Internal)).toBe(error);
  });

  const system = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });
  const cases: [string, unknown, Code, string][] = [
    ["an error", new Error("boom"), Code.Unknown, "boom"],
    ["an error of a class of its own", new TypeError("no function"), Code.Unknown, "no function"],
    ["an error of another realm", runInNewContext('new Error("far")'), Code.Unknown, "far"],
    ["an abort", AbortSignal.abort().reason, Code.Canceled, "This operation was aborted"],
    ["a timeout", new DOMException("too late", "TimeoutError"), Code.DeadlineExceeded, "too late"],
    ["ENOENT", system("ENOENT"), Code.NotFound, "ENOENT: it failed"],
    ["EEXIST", system("EEXIST"), Code.AlreadyExists, "EEXIST: it failed"],
    ["EACCES", system("EACCES"), Code.PermissionDenied, "EACCES: it failed"],
    ["EPERM", system("EPERM"), Code.PermissionDenied, "EPERM: it failed"],
    ["another system error", system("ECONNRESET"), Code.Unknown, "ECONNRESET: it failed"],
    ["a code of an inherited name", system("constructor"), Code.Unknown, "constructor: it failed"],
    ["a text", "boom", Code.Unknown, "boom"],
    ["a number", 7, Code.Unknown, "7"],
    ["undefined", undefined, Code.Unknown, "undefined"],
    ["null", null, Code.Unknown, "null"],
    ["a symbol", Symbol("s"), Code.Unknown, "Symbol(s)"],
    ["a function", Math.max, Code.Unknown, "function max() { [native code] }"],
    ["an object with a message", { message: "like an error" }, Code.Unknown, "like an error"],
    ["an object", {}, Code.Unknown, "[object Object]"],
    ["an object without a text", Object.create(null), Code.Unknown, "something was thrown that has no text"],
    ["an error whose message is none", Object.assign(new Error(), { message: undefined }), Code.Unknown, "Error"],
  ];

  test.each(cases)("%s", (_, thrown, code, message) => {
    const error = RpcError.from(thrown);
    expect(error).toBeInstanceOf(RpcError);
    expect([error.code, error.rawMessage]).toEqual([code, message]);
    expect(error.cause).toBe(thrown);
    expect(error.reason).toBeUndefined();
  });

  test("uses the fallback only where nothing fits", () => {
    expect(RpcError.from(new Error("x"), Code.Internal).code).toBe(Code.Internal);
    expect(RpcError.from("x", Code.Internal).code).toBe(Code.Internal);
    expect(RpcError.from(system("ENOENT"), Code.Internal).code).toBe(Code.NotFound);
    expect(RpcError.from(AbortSignal.abort().reason, Code.Internal).code).toBe(Code.Canceled);
  });

  test("never throws, not even at getters, proxies and texts that throw", () => {
    const evil = (): never => {
      throw new Error("evil");
    };
    const getters = Object.defineProperties(new Error("x"), {
      name: { get: evil },
      code: { get: evil },
      message: { get: evil },
      toString: { value: evil },
    });
    const proxy = new Proxy({}, { get: evil, has: evil, getPrototypeOf: evil, ownKeys: evil });
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const thrown of [getters, proxy, revoked, { toString: evil }]) {
      const error = RpcError.from(thrown);
      expect([error.code, error.rawMessage]).toEqual([Code.Unknown, "something was thrown that has no text"]);
    }
  });
});

describe("instanceof", () => {
  test("is false for anything else", () => {
    for (const value of [new Error("x"), {}, null, undefined, 7, "x", { code: 5 }]) {
      expect(value instanceof RpcError).toBe(false);
    }
  });

  test("asks a class that extends RpcError for its own instances", () => {
    class Special extends RpcError {}
    const special = new Special(Code.Internal, "x");
    expect(special).toBeInstanceOf(Special);
    expect(special).toBeInstanceOf(RpcError);
    expect(new RpcError(Code.Internal, "x")).not.toBeInstanceOf(Special);
  });

  test("holds across two copies of the module", async () => {
    // The query makes a second module of the same file.
    const copy: typeof import("./rpc-error.js") = await import(/* @vite-ignore */ "./rpc-error.js?copy" as string);
    expect(copy.RpcError).not.toBe(RpcError);
    const theirs = new copy.RpcError(Code.NotFound, "x");
    expect(theirs).toBeInstanceOf(RpcError);
    expect(new RpcError(Code.NotFound, "x")).toBeInstanceOf(copy.RpcError);
    expect(RpcError.from(theirs)).toBe(theirs);
  });

  test("holds across two copies of the built module", async () => {
    const built = new URL("../dist/rpc-error.js", import.meta.url).href;
    const script = `
      const [a, b] = await Promise.all([import("${built}?a"), import("${built}?b")]);
      const error = new a.RpcError(5, "x");
      console.log(a.RpcError !== b.RpcError, error instanceof b.RpcError, b.RpcError.from(error) === error);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(stdout.trim()).toBe("true true true");
  });
});

describe("details", () => {
  const text = create(StringValueSchema, { value: "hint" });

  test("are encoded from a schema and a value, or taken as they are", () => {
    const raw = { typeUrl: "x.Y", value: new Uint8Array([1]) };
    const error = new RpcError(Code.Internal, "x", {
      details: [{ schema: StringValueSchema, value: { value: "hint" } }, raw, anyPack(StringValueSchema, text)],
    });
    expect(error.details.map(({ typeUrl }) => typeUrl)).toEqual([
      "type.googleapis.com/google.protobuf.StringValue",
      "x.Y",
      "type.googleapis.com/google.protobuf.StringValue",
    ]);
    expect(error.details[1]).toBe(raw);
    expect(error.findDetails(StringValueSchema)).toEqual([text, text]);
  });

  test("are found by bare names and behind any prefix, in order", () => {
    const { value } = anyPack(StringValueSchema, text);
    const names = ["google.protobuf.StringValue", "/google.protobuf.StringValue", "a.b/c/google.protobuf.StringValue"];
    const others = ["google.protobuf.StringValues", "xgoogle.protobuf.StringValue", "google.protobuf.StringValue/", ""];
    const details = [...others, ...names].map((typeUrl) => ({ typeUrl, value }));
    expect(new RpcError(Code.Internal, "x", { details }).findDetails(StringValueSchema)).toEqual([text, text, text]);
  });

  test("that are broken or of other types are left out", () => {
    const error = new RpcError(Code.Internal, "x", {
      details: [
        { typeUrl: "google.protobuf.StringValue", value: new Uint8Array([0x0a, 0x7f]) },
        { schema: StringValueSchema, value: text },
      ],
    });
    expect(error.findDetails(StringValueSchema)).toEqual([text]);
    expect(error.findDetails(DurationSchema)).toEqual([]);
  });

  test("that cannot be encoded fail where the error is made", () => {
    const details = [{ schema: StringValueSchema, value: { value: 7 as unknown as string } }];
    expect(() => new RpcError(Code.Internal, "x", { details })).toThrow(CodecError);
  });
});
