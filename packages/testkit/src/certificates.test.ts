// Certificates made for tests hold what was asked for, and Node's own verification agrees.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createTestCa } from "./certificates.js";

test("an issued certificate says what was asked for and is signed by its authority", async () => {
  const authority = await createTestCa("A test's own");
  const { cert, key } = await authority.issue({
    commonName: "joblet",
    organization: "Guestwire",
    organizationalUnit: ["admin", "viewer"],
    names: ["localhost", "127.0.0.1", "::1", "spiffe://test/joblet"],
  });
  const certificate = new X509Certificate(cert);
  const ca = new X509Certificate(authority.ca);
  expect(certificate.subject).toBe("O=Guestwire\nOU=admin\nOU=viewer\nCN=joblet");
  expect(certificate.issuer).toBe("CN=A test's own");
  expect(certificate.subjectAltName).toBe(
    "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://test/joblet",
  );
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(certificate.ca).toBe(false);
  expect(ca.ca).toBe(true);
  expect(certificate.checkIssued(ca)).toBe(true);
  expect(certificate.verify(ca.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test("another authority of the same name did not sign it; times and usage are as asked for", async () => {
  const [one, other] = await Promise.all([createTestCa(), createTestCa()]);
  const validFrom = new Date("2020-01-01T00:00:00Z");
  const validTo = new Date("2020-01-02T00:00:00Z");
  const { cert } = await one.issue({ commonName: "late", client: true, validFrom, validTo });
  const certificate = new X509Certificate(cert);
  expect(certificate.verify(new X509Certificate(other.ca).publicKey)).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect([new Date(certificate.validFrom), new Date(certificate.validTo)]).toEqual([validFrom, validTo]);
  expect(certificate.subjectAltName).toBeUndefined();
});
