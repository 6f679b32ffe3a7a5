// Deadlines in the request header: cut to the limit, and only then.
import { expect, test } from "vitest";
import { cutTimeout, refuseOthers, unknownEncoding } from "./request-headers.js";

function cut(timeout: string, limitMs: number): unknown {
  const headers = { "grpc-timeout": timeout };
  cutTimeout(headers, limitMs);
  return headers["grpc-timeout"];
}

const day = 24 * 60 * 60 * 1000;

test.each([
  ["24H", day, "24H"],
  ["25H", day, "86400000m"],
  ["86400000m", day, "86400000m"],
  ["86400001m", day, "86400000m"],
  ["99999999u", day, "99999999u"],
  ["99999999n", day, "99999999n"],
  ["2S", 1999, "1999m"],
  // Never more than grpc-js can count, and never more digits than gRPC allows.
  ["99999999H", Number.MAX_SAFE_INTEGER, "2147483S"],
  ["2147483S", Number.MAX_SAFE_INTEGER, "2147483S"],
  // What is no deadline is left for grpc-js to refuse.
  ["soon", day, "soon"],
  ["123456789S", day, "123456789S"],
  ["-1S", day, "-1S"],
])("%s with a limit of %d ms becomes %s", (timeout, limitMs, expected) => {
  expect(cut(timeout, limitMs)).toBe(expected);
});

test.each([
  ["POST", "application/grpc", true],
  ["POST", "application/grpc+proto", true],
  ["POST", "application/grpc; charset=utf-8", true],
  ["POST", "application/grpc+json", false],
  ["POST", "application/grpc-web", false],
  ["POST", "application/json", false],
  ["POST", undefined, false],
  ["GET", "application/grpc", false],
])("%s of %s is let through: %s", (method, contentType, through) => {
  const headers = { ":method": method, ...(contentType !== undefined && { "content-type": contentType }) };
  refuseOthers(headers);
  expect((headers as Record<string, unknown>)["content-type"]).toBe(through ? contentType : "");
});

test.each([
  ["gzip", undefined, "gzip"],
  ["deflate", undefined, "deflate"],
  ["identity", undefined, "gzip"],
  [undefined, undefined, "gzip"],
  ["br", "br", "br"],
  ["gzip, br", "gzip, br", "gzip, br"],
])("of the encoding %s is told: %s", (encoding, unknown, left) => {
  const headers: Record<string, string> = encoding === undefined ? {} : { "grpc-encoding": encoding };
  expect(unknownEncoding(headers)).toBe(unknown);
  expect(headers["grpc-encoding"]).toBe(left);
});
