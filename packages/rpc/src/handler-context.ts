// What a handler knows of the call it serves. Types only: each transport gives its own, as lazy as the transport can.
import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues } from "./context-values.js";
import type { Metadata } from "./metadata.js";

/** Who the other end has proven to be by a TLS certificate that was verified. */
export interface PeerIdentity {
  /** The subject's attributes by their short names, as `CN`, `O`, `OU`; each with all its values, in order. */
  readonly subject: Readonly<Record<string, readonly string[]>>;
  /** The issuer's attributes, in the same form. */
  readonly issuer: Readonly<Record<string, readonly string[]>>;
  /** The subject's alternative names with their types, as `DNS:joblet`, `IP Address:127.0.0.1`, `URI:spiffe://…`. */
  readonly alternativeNames: readonly string[];
  /** SHA-256 of the certificate: hexadecimal digits in pairs with colons between. */
  readonly fingerprint256: string;
  /** From when and until when the certificate holds. */
  readonly validFrom: Date;
  readonly validTo: Date;
  /** The certificate in DER. */
  readonly certificate: Uint8Array;
}

/** The other end of a call, as far as the transport knows it. */
export interface Peer {
  /** How the call came: `unix`, `tcp`, `vsock`, `fd`, `duplex`, `in-process`. */
  readonly kind: string;
  /** The address in the form of `connect()`, for logs. */
  readonly address: string;
  /** Who it is; only where it showed a certificate that the server verified. */
  readonly identity?: PeerIdentity;
}

/** The second argument of every handler. */
export interface HandlerContext {
  /** The method that is served. */
  readonly method: DescMethod;
  /** The method's path, as `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** The wire, as `ttrpc`, `grpc`, `in-process`; `undefined` where the transport does not say. */
  readonly protocol?: string | undefined;
  /**
   * Fires when nobody waits for the result any more: the deadline passed, the client canceled or went away, the server
   * shuts down. Its `reason` is an `RpcError`. It does not fire after the handler has returned.
   */
  readonly signal: AbortSignal;
  /** When the client's time is up; `undefined` where it set no limit. Wall-clock time, for display. */
  readonly deadline: Date | undefined;
  /** How long the client still waits, in milliseconds; 0 when the time is up, Infinity where it set no limit. */
  timeRemainingMs(): number;
  /** Metadata of the request. */
  readonly metadata: Metadata;
  /** The other end. */
  readonly peer: Peer;
  /** Metadata to send before the first response. On ttrpc only our own clients get it, and only if they asked (`onHeader`). */
  readonly responseHeader: Metadata;
  /** Metadata to send with the end of the response. On ttrpc only our own clients get it, and only if they asked (`onTrailer`). */
  readonly responseTrailer: Metadata;
  /** Values that interceptors left for the handler. */
  readonly values: ContextValues;
}
