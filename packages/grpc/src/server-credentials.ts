// grpc-js' credentials of one listener: TLS options that may change, and the interceptor through which we take its calls.
import { ServerCredentials, type ServerInterceptor } from "@grpc/grpc-js";
import { Code, RpcError } from "@guestwire/rpc";
import { checkKnown } from "./known-options.js";
import { isTlsProvider, type TlsOptions, type TlsProvider, toContextOptions } from "./tls.js";

// A client that begins a handshake and does not go on holds a connection; Node alone would wait two minutes.
const handshakeMs = 20_000;

/** Credentials that hand every call to one interceptor. */
export class ListenerCredentials extends ServerCredentials {
  readonly #interceptors: ServerInterceptor[];

  /** @param tls Absent for plaintext. */
  constructor(interceptor: ServerInterceptor, tls: ServerTls | undefined) {
    const policy = tls?.clientCertificates;
    super(
      tls === undefined
        ? null
        : {
            requestCert: policy !== "none",
            rejectUnauthorized: policy === "require",
            handshakeTimeout: handshakeMs,
          },
      tls === undefined ? undefined : toContextOptions(tls.current),
    );
    this.#interceptors = [interceptor];
  }

  /** What connections from now on use. */
  update(tls: TlsOptions): void {
    this.updateSecureContextOptions(toContextOptions(tls));
  }

  override _getInterceptors(): ServerInterceptor[] {
    return this.#interceptors;
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

/** The TLS options of a server, as they are now. */
export class ServerTls {
  current: TlsOptions;
  readonly clientCertificates: "require" | "request" | "none";
  #unsubscribe: (() => void) | undefined;

  /**
   * @param given Options, or a provider of them, which is listened to until {@link ServerTls.close}.
   * @param changed Told when `current` is another.
   * @throws {RpcError} Code.InvalidArgument naming the part that is wrong.
   */
  constructor(given: TlsOptions | TlsProvider, changed: () => void) {
    const provider = isTlsProvider(given) ? given : undefined;
    this.current = checkServerTls(provider?.current ?? (given as TlsOptions));
    this.clientCertificates = policyOf(this.current);
    this.#unsubscribe = provider?.onChange(() => {
      this.update(provider.current);
      changed();
    });
  }

  /** @throws {RpcError} Code.InvalidArgument naming the part that is wrong; then `current` is as it was. */
  update(tls: TlsOptions): void {
    const checked = checkServerTls(tls);
    if (policyOf(checked) !== this.clientCertificates) {
      const text = `tls.clientCertificates is "${this.clientCertificates}" and cannot become "${policyOf(checked)}"`;
      throw new RpcError(Code.InvalidArgument, text);
    }
    this.current = checked;
  }

  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }
}

const known: ReadonlySet<string> = new Set<keyof TlsOptions>([
  "cert",
  "key",
  "ca",
  "clientCertificates",
  "minVersion",
  "ciphers",
]);

function checkServerTls(tls: TlsOptions): TlsOptions {
  // A misspelt name here could mean that nobody is asked for a certificate.
  checkKnown("tls", tls, known);
  toContextOptions(tls);
  if (tls.cert === undefined) throw new RpcError(Code.InvalidArgument, "tls.cert and tls.key are missing");
  const policy: string = policyOf(tls);
  if (!["require", "request", "none"].includes(policy)) {
    throw new RpcError(
      Code.InvalidArgument,
      `tls.clientCertificates must be require, request or none, not "${policy}"`,
    );
  }
  if (policy !== "none" && tls.ca === undefined) {
    throw new RpcError(Code.InvalidArgument, `tls.clientCertificates is "${policy}" and tls.ca is missing`);
  }
  return tls;
}

function policyOf(tls: TlsOptions): "require" | "request" | "none" {
  return tls.clientCertificates ?? (tls.ca === undefined ? "none" : "require");
}
