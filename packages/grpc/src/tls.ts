// TLS as users give it: certificates and keys in PEM, for servers and clients alike. Checks them; opens nothing.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { Code, RpcError } from "@guestwire/rpc";

/** Certificates or a key in PEM: text, or the bytes of a file. */
export type Pem = string | Uint8Array;

/** What TLS needs. A server has to have `cert` and `key`; a client has them where the server asks who it is. */
export interface TlsOptions {
  /** The own certificate, the ones between it and the authority after it. */
  readonly cert?: Pem;
  /** The private key of `cert`, not encrypted. */
  readonly key?: Pem;
  /**
   * The authorities that the other end's certificate must come from. Of a client: default those of Node. Of a server:
   * default none; given, clients must show a certificate.
   */
  readonly ca?: Pem;
  /**
   * Servers only: whether clients must show a certificate (`require`), may (`request`: without one that was verified they
   * have no identity), or are not asked (`none`). Default `require` where `ca` is given, otherwise `none`.
   */
  readonly clientCertificates?: "require" | "request" | "none";
  /** The oldest version that is spoken. Default `TLSv1.2`. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Ciphers in OpenSSL's form. Default Node's, or those of the environment variable `GRPC_SSL_CIPHER_SUITES`. */
  readonly ciphers?: string;
}

/** The options of a server. */
export interface ServerTlsOptions extends TlsOptions {
  readonly cert: Pem;
  readonly key: Pem;
}

/** Where TLS options come from that may change while they are in use, as `watchTlsFiles` gives it. */
export interface TlsProvider {
  /** What new connections use now. */
  readonly current: TlsOptions;
  /**
   * Tells of each change after it was made.
   *
   * @returns A function that ends this.
   */
  onChange(listener: () => void): () => void;
}

/** Whether options come from a provider. */
export function isTlsProvider(tls: TlsOptions | TlsProvider): tls is TlsProvider {
  return "onChange" in tls && typeof tls.onChange === "function";
}

/**
 * The options in the form of `node:tls`, checked.
 *
 * @throws {RpcError} Code.InvalidArgument naming the part that is wrong.
 */
export function toContextOptions(tls: TlsOptions): SecureContextOptions {
  if (typeof tls !== "object" || tls === null) throw bad("tls is no object");
  const cert = pem("cert", tls.cert);
  const key = pem("key", tls.key);
  const ca = pem("ca", tls.ca);
  if ((cert === undefined) !== (key === undefined)) {
    throw bad(cert === undefined ? "tls.key is given without tls.cert" : "tls.cert is given without tls.key");
  }
  const certificate = cert && parsed("tls.cert is no certificate in PEM", () => new X509Certificate(cert));
  const privateKey = key && parsed("tls.key is no unencrypted private key in PEM", () => createPrivateKey(key));
  if (ca !== undefined) parsed("tls.ca is no certificate in PEM", () => new X509Certificate(ca));
  if (certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    throw bad("tls.key is not the key of tls.cert");
  }
  const minVersion = tls.minVersion ?? "TLSv1.2";
  if (minVersion !== "TLSv1.2" && minVersion !== "TLSv1.3") {
    throw bad(`tls.minVersion must be TLSv1.2 or TLSv1.3, not ${String(minVersion)}`);
  }
  const ciphers = tls.ciphers ?? process.env["GRPC_SSL_CIPHER_SUITES"];
  const options: SecureContextOptions = {
    minVersion,
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    ...(ciphers !== undefined && { ciphers }),
  };
  parsed("tls cannot be used", () => createSecureContext(options));
  return options;
}

function pem(name: string, value: Pem | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  throw bad(`tls.${name} must be PEM as text or bytes, not ${value === null ? "null" : typeof value}`);
}

function parsed<T>(fault: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw bad(`${fault}: ${(error as Error).message}`, error);
  }
}

function bad(message: string, cause?: unknown): RpcError {
  return new RpcError(Code.InvalidArgument, message, cause === undefined ? {} : { cause });
}
