// Metadata on gRPC's wire: ours to grpc-js' and back. No meaning of any key but for those that belong to HTTP/2 and gRPC.
import type { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Code, Metadata, RpcError } from "@guestwire/rpc";
import { WireMetadata } from "./wire-metadata.js";

const legalKey = /^[0-9a-z_.-]+$/;
// Nothing but visible characters at both ends: HTTP/2 has no spaces there, and peers end the stream for them.
const legalValue = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
// Not /^…*$/, which would go back and forth over long values: one pass, then the length.
const legalBase64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

// HTTP/2 forbids these, or holds the call to them: grpc-js would begin such a call anew for ever, and a length that is
// wrong ends the connection with all its calls.
const connectionKeys: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

// May stand once only: Node refuses more, and grpc-js would begin such a call anew for ever.
const singleKeys: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-encoding",
  "content-language",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "user-agent",
  "x-content-type-options",
]);

// What HTTP/2 and gRPC say to each other. Nobody above has a use for it, and a call that forwards metadata must not send it.
const transportKeys: ReadonlySet<string> = new Set([
  "accept-encoding",
  "content-type",
  "date",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-message",
  "grpc-message-type",
  "grpc-status",
  "grpc-status-details-bin",
  "grpc-timeout",
  "te",
]);

/**
 * Metadata to send. Values of `-bin` keys are base64 text, padded or not, and travel as bytes; all others are visible
 * ASCII with spaces between. Keys that gRPC sets itself (`grpc-timeout`, `content-type`, …) are overwritten by it.
 *
 * @throws {RpcError} Code.InvalidArgument naming the key that gRPC cannot carry, or whose value it cannot.
 */
export function toGrpcMetadata(metadata: Metadata): GrpcMetadata {
  const made = new WireMetadata();
  const { flat } = metadata;
  for (let i = 0; i < flat.length; i += 2) {
    const key = flat[i] as string;
    const value = flat[i + 1] as string;
    if (!legalKey.test(key)) throw refused(key, "holds a character that gRPC does not allow in keys");
    if (connectionKeys.has(key)) throw refused(key, "belongs to the connection and cannot be sent with a call");
    if (key === "te" && value !== "trailers") throw refused(key, 'can only be "trailers" in HTTP/2');
    if (singleKeys.has(key) && made.get(key).length > 0) throw refused(key, "has several values and may have one");
    if (key.endsWith("-bin")) made.add(key, bytesOf(key, value));
    else if (legalValue.test(value)) made.add(key, value);
    else throw refused(key, "has a value that is not visible ASCII text; a key that ends in -bin carries any bytes");
  }
  return made;
}

/**
 * Metadata that was received, without what HTTP/2 and gRPC say to each other. Values of `-bin` keys become padded base64
 * text. Of a key with several text values there is one, joined with ", ": so HTTP/2 has it, and so Node gives it.
 */
export function fromGrpcMetadata(metadata: GrpcMetadata): Metadata {
  const flat: string[] = [];
  const values = metadata.toJSON();
  for (const key in values) {
    if (transportKeys.has(key)) continue;
    for (const value of values[key] as (string | Buffer)[]) {
      flat.push(key, typeof value === "string" ? value : value.toString("base64"));
    }
  }
  return Metadata.received(flat);
}

function bytesOf(key: string, text: string): Buffer {
  const size = text.indexOf("=") < 0 ? text.length : text.indexOf("=");
  const padded = size !== text.length && text.length % 4 !== 0;
  if (!legalBase64.test(text) || size % 4 === 1 || padded) throw refused(key, "has a value that is not base64 text");
  return Buffer.from(text, "base64");
}

function refused(key: string, why: string): RpcError {
  return new RpcError(Code.InvalidArgument, `the metadata key "${key}" ${why}`);
}
