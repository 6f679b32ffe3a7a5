// The certificates and the key that a configuration carries: checked before anything is dialed, so that a mistake is told in
// the configuration's words and not in OpenSSL's.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { configError } from "./config-error.js";

/** The PEM texts of one node, and what they say. */
export interface NodeIdentity {
  /** CN of the client's certificate; empty where it has none. */
  readonly commonName: string;
  /** The OUs of the client's certificate; the server takes the role from these. */
  readonly organizationalUnits: readonly string[];
  /** Until when the client's certificate holds. */
  readonly validTo: Date;
}

/** What was found, and what is worth a warning. */
export interface CheckedIdentity {
  readonly identity: NodeIdentity;
  readonly warnings: readonly string[];
}

const dayMs = 24 * 60 * 60 * 1000;
// Early enough to ask somebody for a new one.
const soonMs = 30 * dayMs;

/**
 * Checks the PEM texts of a node.
 *
 * @param where In front of the fields' names in errors, as `rnx-config.yml: nodes.prod`.
 * @throws {RpcError} Code.InvalidArgument for a text that cannot be read, or a key that belongs to another certificate.
 */
export function checkIdentity(
  where: string,
  pem: { readonly cert: string; readonly key: string; readonly ca: string },
  now: number,
): CheckedIdentity {
  const cert = readCertificate(`${where}.cert`, pem.cert);
  const key = readKey(`${where}.key`, pem.key);
  if (!cert.checkPrivateKey(key)) throw configError(`${where}.key`, "is not the key of cert");
  const blocks = pem.ca.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw configError(`${where}.ca`, "holds no certificate in PEM");
  const authorities = blocks.map((block) => readCertificate(`${where}.ca`, block));
  const subject = attributes(cert.subject);
  const validTo = new Date(cert.validTo);
  const warnings = [
    ...validity(`${where}.cert`, cert, now),
    ...authorities.flatMap((authority) => validity(`${where}.ca`, authority, now)),
  ];
  const [commonName = ""] = subject.get("CN") ?? [];
  return { identity: { commonName, organizationalUnits: subject.get("OU") ?? [], validTo }, warnings };
}

function readCertificate(field: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw configError(field, "is no certificate in PEM", error);
  }
}

function readKey(field: string, text: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw configError(field, "is encrypted; Joblet's configurations carry keys without a passphrase");
  }
  try {
    return createPrivateKey(text);
  } catch {
    // Without the cause: its text could show parts of the key.
    throw configError(field, "is no private key in PEM");
  }
}

function validity(field: string, certificate: X509Certificate, now: number): string[] {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const day = (at: number): string => new Date(at).toISOString();
  if (to < now) return [`${field} has expired at ${day(to)}`];
  if (from > now) return [`${field} is not valid before ${day(from)}`];
  return to - now < soonMs ? [`${field} expires at ${day(to)}`] : [];
}

/** A subject as Node writes it: one attribute a line; a line break in a value is escaped there. */
function attributes(subject: string | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of (subject ?? "").split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) found.set(line.slice(0, at), [...(found.get(line.slice(0, at)) ?? []), line.slice(at + 1)]);
  }
  return found;
}
