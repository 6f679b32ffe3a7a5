// TLS options: what is wrong with them is said by name, and never with the key in the text.
import { Code } from "@guestwire/rpc";
import { createTestCa, type TestCa, type TestCertificate } from "@guestwire/testkit";
import { beforeAll, expect, test } from "vitest";
import { toContextOptions } from "./tls.js";

let ca: TestCa;
let own: TestCertificate;
let other: TestCertificate;

beforeAll(async () => {
  ca = await createTestCa();
  [own, other] = await Promise.all([ca.issue({ commonName: "own" }), ca.issue({ commonName: "other" })]);
});

test("text and bytes are taken alike", () => {
  const bytes = { cert: Buffer.from(own.cert), key: new TextEncoder().encode(own.key), ca: Buffer.from(ca.ca) };
  expect(toContextOptions(bytes)).toEqual({ ...own, ca: ca.ca, minVersion: "TLSv1.2" });
  expect(toContextOptions({})).toEqual({ minVersion: "TLSv1.2" });
  expect(toContextOptions({ ciphers: "TLS_AES_128_GCM_SHA256", minVersion: "TLSv1.3" })).toEqual({
    ciphers: "TLS_AES_128_GCM_SHA256",
    minVersion: "TLSv1.3",
  });
});

test.each([
  ["the key of another certificate", () => ({ cert: own.cert, key: other.key }), "tls.key is not the key of tls.cert"],
  ["a key in place of a certificate", () => ({ ...own, cert: own.key }), "tls.cert is no certificate in PEM"],
  [
    "a certificate in place of a key",
    () => ({ ...own, key: own.cert }),
    "tls.key is no unencrypted private key in PEM",
  ],
  ["a key alone", () => ({ key: own.key }), "tls.key is given without tls.cert"],
  ["a certificate alone", () => ({ cert: own.cert }), "tls.cert is given without tls.key"],
  ["authorities that are none", () => ({ ca: "" }), "tls.ca is no certificate in PEM"],
  ["a number", () => ({ ...own, ca: 7 as never }), "tls.ca must be PEM as text or bytes, not number"],
  ["an old version", () => ({ minVersion: "TLSv1.1" as never }), "tls.minVersion must be TLSv1.2 or TLSv1.3"],
  ["ciphers that nobody has", () => ({ ciphers: "NOTHING" }), "tls cannot be used"],
  ["nothing", () => null as never, "tls is no object"],
])("%s is refused by name", (_, make, text) => {
  const attempt = (): unknown => toContextOptions(make());
  expect(attempt).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  expect(attempt).toThrow(text);
  expect(attempt).not.toThrow(own.key.split("\n")[1]);
});
