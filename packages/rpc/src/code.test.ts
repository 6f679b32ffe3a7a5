// Names and numbers of the codes.
import { describe, expect, test } from "vitest";
import { Code, codeFromName, codeName, isCode } from "./code.js";

const names = [
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
];

describe("codes", () => {
  test("have gRPC's numbers and names", () => {
    expect(Object.values(Code)).toEqual(names.map((_, index) => index + 1));
    expect(Object.values(Code).map(codeName)).toEqual(names);
  });

  test("are found by name in every spelling", () => {
    for (const [key, code] of Object.entries(Code)) {
      const name = codeName(code);
      expect(codeFromName(key)).toBe(code);
      expect(codeFromName(name)).toBe(code);
      expect(codeFromName(name.toUpperCase())).toBe(code);
    }
    expect(codeFromName("CANCELLED")).toBe(Code.Canceled);
  });

  test.each(["", "ok", "OK", "not found", "code_17", "constructor", "__proto__", "cancelledd"])(
    "%j is no code",
    (name) => {
      expect(codeFromName(name)).toBeUndefined();
    },
  );

  test("numbers that are no codes have a name too", () => {
    expect([0, 17, -1, 1.5].map(codeName)).toEqual(["ok", "code_17", "code_-1", "code_1.5"]);
  });

  test("isCode knows the sixteen", () => {
    expect([0, 1, 16, 17, 1.5, -1, Number.NaN].map(isCode)).toEqual([false, true, true, false, false, false, false]);
  });
});
