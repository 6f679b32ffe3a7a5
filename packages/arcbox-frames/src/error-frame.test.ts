import { Code } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import {
  codeFromFrame,
  codeToFrame,
  decodeErrorPayload,
  encodeErrorPayload,
  encodeFrameError,
  errorTextMaxBytes,
} from "./error-frame.js";

describe("error frames", () => {
  test.each([
    [400, Code.InvalidArgument],
    [404, Code.NotFound],
    [500, Code.Internal],
    [501, Code.Unimplemented],
    [503, Code.Unavailable],
    [2, Code.NotFound],
    [13, Code.PermissionDenied],
    [22, Code.InvalidArgument],
    [418, Code.Unknown],
    [0, Code.Unknown],
    [-1, Code.Unknown],
  ])("the agent's %d is code %d", (number, code) => {
    expect(codeFromFrame(number)).toBe(code);
    expect(decodeErrorPayload(encodeFrameError(number, "why")).code).toBe(code);
  });

  test("every code has a number, and those that HTTP has a status for come back", () => {
    const lost = Object.values(Code).filter((code) => codeFromFrame(codeToFrame(code)) !== code);
    expect(lost).toEqual([Code.Unknown, Code.Aborted, Code.DataLoss]);
    for (const code of lost) expect(codeToFrame(code)).toBe(500);
  });

  test("text comes back, and a number without a code is named in it", () => {
    expect(decodeErrorPayload(encodeErrorPayload({ code: Code.NotFound, rawMessage: "no sändbox" })).rawMessage).toBe(
      "no sändbox",
    );
    expect(decodeErrorPayload(encodeFrameError(-7, "odd")).rawMessage).toBe("odd (the agent's code -7)");
  });

  test("broken text is replaced, not refused", () => {
    const payload = Buffer.from(encodeFrameError(400, "xyz"));
    payload[9] = 0xff;
    expect(decodeErrorPayload(payload)).toMatchObject({ code: Code.InvalidArgument, rawMessage: "x\ufffdz" });
  });

  test("a length beyond the payload is its end, one before it cuts", () => {
    const payload = Buffer.from(encodeFrameError(400, "abc"));
    payload.writeUInt32BE(0xffff_ffff, 4);
    expect(decodeErrorPayload(payload).rawMessage).toBe("abc");
    payload.writeUInt32BE(1, 4);
    expect(decodeErrorPayload(payload).rawMessage).toBe("a");
  });

  test.each([0, 1, 7])("a payload of %d bytes is a protocol error", (length) => {
    expect(decodeErrorPayload(Buffer.alloc(length), { method: "/a.B/C", peer: "unix:///x" })).toMatchObject({
      code: Code.Unknown,
      reason: "protocol",
      method: "/a.B/C",
      peer: "unix:///x",
    });
  });

  test("a text over the bound is cut between two characters", () => {
    const fits = "a".repeat(errorTextMaxBytes);
    expect(decodeErrorPayload(encodeFrameError(500, fits)).rawMessage).toBe(fits);
    expect(decodeErrorPayload(encodeFrameError(500, `${fits}a`)).rawMessage).toBe(fits);
    const wide = `${"a".repeat(errorTextMaxBytes - 1)}ä`;
    expect(decodeErrorPayload(encodeFrameError(500, wide)).rawMessage).toBe("a".repeat(errorTextMaxBytes - 1));
  });
});
