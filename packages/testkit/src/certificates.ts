// Certificates for tests: an authority of the test's own, and whatever it signs. Keys are made at run time and live in
// memory only; nothing here is fit for anything but tests.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

/** A certificate with its private key, both as PEM text. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface TestCertificateOptions {
  /** The subject's CN. */
  readonly commonName: string;
  /** The subject's OU, once or several times. Default none. */
  readonly organizationalUnit?: string | readonly string[];
  /** The subject's O. Default none. */
  readonly organization?: string;
  /** DNS names, IP addresses and URIs that it is valid for; told apart by their form. Default none. */
  readonly names?: readonly string[];
  /** Default an hour ago. */
  readonly validFrom?: Date;
  /** Default in a day. */
  readonly validTo?: Date;
  /** Whether it is for a client; otherwise for a server. Default false. */
  readonly client?: boolean;
}

/** An authority that signs certificates. */
export interface TestCa {
  /** The authority's own certificate, as PEM text. */
  readonly ca: string;
  /** Signs a certificate for a key made for it. */
  issue(options: TestCertificateOptions): Promise<TestCertificate>;
}

type KeyPair = webcrypto.CryptoKeyPair;

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const hourMs = 60 * 60 * 1000;
// The library takes the types of a browser's crypto; Node's is the same at run time.
const crypto = webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0] & typeof webcrypto;
x509.cryptoProvider.set(crypto);

/**
 * Makes an authority that nobody else trusts.
 *
 * @param name The CN of its certificate. Default `Guestwire test CA`.
 */
export async function createTestCa(name = "Guestwire test CA"): Promise<TestCa> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    notBefore: new Date(Date.now() - hourMs * 24 * 365),
    notAfter: new Date(Date.now() + hourMs * 24 * 365),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    ca: certificate.toString("pem"),
    issue: (options) => issue(options, certificate, keys),
  };
}

async function issue(
  options: TestCertificateOptions,
  issuer: x509.X509Certificate,
  issuerKeys: KeyPair,
): Promise<TestCertificate> {
  const keys = await makeKeys();
  const usage = options.client === true ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.1";
  const names = options.names ?? [];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: subjectOf(options),
    issuer: issuer.subjectName,
    notBefore: options.validFrom ?? new Date(Date.now() - hourMs),
    notAfter: options.validTo ?? new Date(Date.now() + 24 * hourMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: issuerKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names.map(alternativeName))]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

function subjectOf({ commonName, organization, organizationalUnit }: TestCertificateOptions): x509.JsonName {
  const units = typeof organizationalUnit === "string" ? [organizationalUnit] : (organizationalUnit ?? []);
  return [
    ...(organization === undefined ? [] : [{ O: [organization] }]),
    ...units.map((unit) => ({ OU: [unit] })),
    { CN: [commonName] },
  ];
}

function alternativeName(name: string): x509.JsonGeneralName {
  if (isIP(name) !== 0) return { type: "ip", value: name };
  return { type: name.includes("://") ? "url" : "dns", value: name };
}

function makeKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function serialNumber(): string {
  // Positive, so that no byte is put in front.
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString("hex");
}
