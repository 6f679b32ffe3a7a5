// Who a client has proven to be: its certificate, in the form that handlers get. Only for certificates that were verified.
import type { Certificate, DetailedPeerCertificate, PeerCertificate } from "node:tls";
import type { PeerIdentity } from "@guestwire/rpc";

/** The identity in a certificate. The caller has made sure that it was verified. */
export function peerIdentity(certificate: PeerCertificate | DetailedPeerCertificate): PeerIdentity {
  return {
    subject: attributes(certificate.subject),
    issuer: attributes(certificate.issuer),
    alternativeNames: alternativeNames(certificate.subjectaltname ?? ""),
    fingerprint256: certificate.fingerprint256,
    validFrom: new Date(certificate.valid_from),
    validTo: new Date(certificate.valid_to),
    certificate: certificate.raw,
  };
}

/** Node gives a value that stands once as text, several as a list. */
function attributes(name: Certificate): Record<string, readonly string[]> {
  const found: Record<string, readonly string[]> = Object.create(null);
  for (const [key, value] of Object.entries(name as unknown as Record<string, string | string[]>)) {
    found[key] = Object.freeze(typeof value === "string" ? [value] : [...value]);
  }
  return found;
}

/**
 * Takes apart what Node writes as one text. A name that holds a comma or a quote stands there as a JSON string, so that
 * nobody can put a second name into a first.
 */
export function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  const part = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy;
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    const [, type, value = ""] = found;
    names.push(`${type}:${value.startsWith('"') ? (JSON.parse(value) as string) : value}`);
  }
  return Object.freeze(names);
}
