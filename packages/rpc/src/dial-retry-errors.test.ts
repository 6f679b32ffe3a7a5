// Which failures of a dial are worth another attempt.
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { isPermanentDialError, isTransientDialError } from "./dial-retry-errors.js";
import { RpcError } from "./rpc-error.js";

const system = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });
const rpc = (code: Code, cause?: unknown) => new RpcError(code, "x", { cause });
const kind = (error: unknown) =>
  isTransientDialError(error) ? "transient" : isPermanentDialError(error) ? "permanent" : "unknown";

describe("an error is", () => {
  test.each([
    "ENOENT",
    "ECONNREFUSED",
    "ECONNRESET",
    "ENODEV",
    "EPIPE",
    "ETIMEDOUT",
    "EAGAIN",
    "ERR_VSOCK_HYBRID_CLOSED",
    "ERR_VSOCK_HYBRID_TIMEOUT",
  ])("transient: %s", (code) => expect(kind(system(code))).toBe("transient"));

  test.each([
    "EACCES",
    "EPERM",
    "EINVAL",
    "EBADF",
    "ENOTSOCK",
    "EPROTOTYPE",
    "EAFNOSUPPORT",
    "ERR_VSOCK_UNAVAILABLE",
    "ERR_VSOCK_HYBRID_REPLY",
    "ERR_INVALID_ARG_VALUE",
  ])("permanent: %s", (code) => expect(kind(system(code))).toBe("permanent"));

  test.each([
    [Code.Unavailable, "transient"],
    [Code.FailedPrecondition, "transient"],
    [Code.InvalidArgument, "permanent"],
    [Code.Unimplemented, "permanent"],
    [Code.PermissionDenied, "permanent"],
    [Code.Unauthenticated, "permanent"],
    [Code.Internal, "unknown"],
    [Code.DeadlineExceeded, "unknown"],
    [Code.NotFound, "unknown"],
  ])("by the code of an RpcError: %i is %s", (code, expected) => expect(kind(rpc(code))).toBe(expected));

  test("what its causes are, where it says nothing itself", () => {
    expect(kind(new Error("x", { cause: new Error("y", { cause: system("ENODEV") }) }))).toBe("transient");
    expect(kind(rpc(Code.DeadlineExceeded, system("ENOENT")))).toBe("transient");
    expect(kind(system("ENOTFOUND", system("EPIPE")))).toBe("transient");
  });

  test("permanent when one of its causes is, in whatever it is wrapped", () => {
    expect(kind(rpc(Code.Unavailable, system("EACCES")))).toBe("permanent");
    expect(kind(rpc(Code.PermissionDenied, system("ECONNRESET")))).toBe("permanent");
    expect(kind(system("ECONNRESET", system("ERR_VSOCK_HYBRID_REPLY")))).toBe("permanent");
  });

  test.each([undefined, null, 14, "ENOENT", { code: 14 }, {}, new Error("ENOENT")])(
    "unknown where it is %o: numbers are codes of RpcErrors only",
    (error) => expect(kind(error)).toBe("unknown"),
  );

  test("unknown where its causes go round, or throw when they are read", () => {
    const round: { code: string; cause?: unknown } = { code: "EROUND" };
    round.cause = round;
    expect(kind(round)).toBe("unknown");
    const hostile = new Proxy({}, { get: () => expect.fail("read") });
    expect(kind(new Error("x", { cause: hostile }))).toBe("unknown");
  });
});
