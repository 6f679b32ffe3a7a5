// TLS options out of files that are replaced while they are in use, as certificates with a short life are. Files are read
// again in intervals: the notices of the system are lost on the folders and links in which secrets are mounted.
import { readFile } from "node:fs/promises";
import { Code, RpcError } from "@guestwire/rpc";
import { type TlsOptions, type TlsProvider, toContextOptions } from "./tls.js";

/** Which files, and how they are used. */
export interface TlsFilesOptions extends Pick<TlsOptions, "clientCertificates" | "minVersion" | "ciphers"> {
  /** The own certificate, the ones between it and the authority after it. Default none, as for most clients. */
  readonly certFile?: string;
  /** The private key of the certificate. */
  readonly keyFile?: string;
  /** The authorities that the other end's certificate must come from. */
  readonly caFile?: string;
  /** How often the files are read, in milliseconds. Default 10,000. */
  readonly intervalMs?: number;
  /** Told when files were changed and are in use. */
  readonly onReload?: () => void;
  /** Told when the files cannot be used; those that were read before stay in use. Told once for the same fault. */
  readonly onError?: (error: RpcError) => void;
}

/** Files that are watched. Dispose of it when nobody uses it any more; until then it does not keep the process alive. */
export interface TlsFiles extends TlsProvider, Disposable {
  /**
   * Reads the files now, as on a signal.
   *
   * @returns Whether they were changed.
   * @throws {RpcError} As {@link watchTlsFiles}; what was read before stays in use.
   */
  reload(): Promise<boolean>;
}

/**
 * Reads certificates and keys from files, and again whenever they change. New connections use the new ones; those that are
 * open go on.
 *
 * @throws {RpcError} Code.NotFound or Code.PermissionDenied when a file cannot be read; Code.InvalidArgument when it is not
 * what it should be.
 *
 * @example
 * const tls = await watchTlsFiles({ certFile: "/tls/tls.crt", keyFile: "/tls/tls.key", caFile: "/tls/ca.crt" });
 * const server = serve({ tls });
 */
export async function watchTlsFiles(options: TlsFilesOptions): Promise<TlsFiles> {
  const { intervalMs = 10_000 } = options;
  if (!(typeof intervalMs === "number" && intervalMs >= 1 && intervalMs < 2 ** 31)) {
    throw new RpcError(Code.InvalidArgument, `intervalMs must be a number from 1 to 2^31-1, not ${String(intervalMs)}`);
  }
  const files = new WatchedFiles(options, await readFiles(options));
  files.start(intervalMs);
  return files;
}

class WatchedFiles implements TlsFiles {
  current: TlsOptions;
  readonly #options: TlsFilesOptions;
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #lastFault = "";

  constructor(options: TlsFilesOptions, current: TlsOptions) {
    this.#options = options;
    this.current = current;
  }

  start(intervalMs: number): void {
    this.#timer = setTimeout(async () => {
      await this.reload().catch(() => {});
      // Disposed of meanwhile.
      if (this.#timer !== undefined) this.start(intervalMs);
    }, intervalMs);
    this.#timer.unref();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async reload(): Promise<boolean> {
    try {
      const read = await readFiles(this.#options);
      this.#lastFault = "";
      if (read.cert === this.current.cert && read.key === this.current.key && read.ca === this.current.ca) return false;
      this.current = read;
    } catch (error) {
      const fault = RpcError.from(error);
      if (fault.message !== this.#lastFault) this.#options.onError?.(fault);
      this.#lastFault = fault.message;
      throw fault;
    }
    for (const listener of [...this.#listeners]) listener();
    this.#options.onReload?.();
    return true;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }
}

async function readFiles(options: TlsFilesOptions): Promise<TlsOptions> {
  const { certFile, keyFile, caFile, clientCertificates, minVersion, ciphers } = options;
  const [cert, key, ca] = await Promise.all([read(certFile), read(keyFile), read(caFile)]);
  const tls: TlsOptions = {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    ...(clientCertificates !== undefined && { clientCertificates }),
    ...(minVersion !== undefined && { minVersion }),
    ...(ciphers !== undefined && { ciphers }),
  };
  // Also where a certificate was replaced and its key not yet: then the next time.
  toContextOptions(tls);
  return tls;
}

async function read(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code, rawMessage } = RpcError.from(error, Code.FailedPrecondition);
    throw new RpcError(code, `cannot read ${file}: ${rawMessage}`, { cause: error });
  }
}
