// How a channel's connections are made secure, or left plain, and how long that may take. grpc-js' own credentials have
// neither a limit of time nor a certificate that changes while the channel lives. Decides nothing about calls.
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect, createSecureContext, type PeerCertificate } from "node:tls";
import { type CallCredentials, ChannelCredentials, credentials, type experimental } from "@grpc/grpc-js";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { clientConnections, connectionBegins, connectionEnds, connectionFails } from "@guestwire/rpc/transport";
import type { ConnectFailures } from "./connect-failures.js";
import { checkKnown } from "./known-options.js";
import { protocol } from "./protocol.js";
import { isTlsProvider, type TlsOptions, type TlsProvider, toContextOptions } from "./tls.js";

/** What a client shows and what it believes. */
export interface ClientTlsOptions extends Omit<TlsOptions, "clientCertificates"> {
  /** The name that the server's certificate must hold. Default: the host of the address; `localhost` where it has none. */
  readonly serverName?: string;
  /** Replaces the check of the server's name; the signature is checked all the same. Gives an error to refuse. */
  readonly checkServerIdentity?: (name: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * TLS for a channel: `true` for a server whose certificate Node's own authorities signed; options; what `watchTlsFiles`
 * gave; or a function. The latter two are asked again for every connection, so that a new certificate needs no new
 * channel. A function that throws makes that attempt to connect fail.
 */
export type ClientTls = true | ClientTlsOptions | TlsProvider | (() => ClientTlsOptions | Promise<ClientTlsOptions>);

/** The sockets of a channel, from connected to closed. */
export interface Sockets {
  /** How long a server may take to show that it speaks TLS and HTTP/2, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Where they lead to, for events. */
  readonly target: { readonly name: string };
  /** Those that are open. */
  readonly open: Set<Socket>;
  /** Where those lead to that were opened by us, and not by grpc-js. */
  readonly dialled: WeakMap<Socket, Peer>;
  /** Why there are none. */
  readonly failures: ConnectFailures;
  /** Called when the last one has closed. */
  emptied: (() => void) | undefined;
}

type Load = () => Promise<Prepared | undefined>;

/** What every connection with the same options has in common. */
interface Prepared {
  readonly options: ConnectionOptions;
  readonly serverName: string | undefined;
}

/**
 * The credentials of a channel.
 *
 * @throws {RpcError} Code.InvalidArgument naming the option of `tls` that is wrong.
 */
export function clientCredentials(tls: ClientTls | undefined, sockets: Sockets): ChannelCredentials {
  if (tls === undefined) return new Credentials(undefined, sockets);
  if (typeof tls === "function") return new Credentials(async () => prepare(await tls()), sockets);
  if (tls !== true && (typeof tls !== "object" || tls === null)) {
    throw wrong(`must be true, options or a function, not ${String(tls)}`);
  }
  if (tls !== true && isTlsProvider(tls)) return new Credentials(async () => prepare(tls.current), sockets);
  const prepared = prepare(tls === true ? {} : tls);
  return new Credentials(async () => prepared, sockets);
}

class Credentials extends ChannelCredentials {
  readonly #load: Load | undefined;
  readonly #sockets: Sockets;

  constructor(load: Load | undefined, sockets: Sockets) {
    super();
    this.#load = load;
    this.#sockets = sockets;
  }

  _isSecure(): boolean {
    return this.#load !== undefined;
  }

  _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(
    target: experimental.GrpcUri,
    options: Record<string, unknown>,
    calls: CallCredentials = credentials.createEmpty(),
  ): experimental.SecureConnector {
    const override = options["grpc.ssl_target_name_override"];
    const host = hostOf(target.authority === undefined || target.authority === "" ? target.path : target.authority);
    return new Connector(this.#load, this.#sockets, typeof override === "string" ? override : host, calls);
  }
}

class Connector implements experimental.SecureConnector {
  readonly #load: Load | undefined;
  readonly #sockets: Sockets;
  readonly #host: string;
  readonly #calls: CallCredentials;
  #prepared: Prepared | undefined;
  /** Ends the newest connection unless it is in use. */
  #giveUp: ((why: string) => void) | undefined;
  #destroyed = false;

  constructor(load: Load | undefined, sockets: Sockets, host: string, calls: CallCredentials) {
    this.#load = load;
    this.#sockets = sockets;
    this.#host = host;
    this.#calls = calls;
  }

  /** Before each attempt to connect. */
  async waitForReady(): Promise<void> {
    this.#prepared = await this.#load?.();
  }

  async connect(socket: Socket): Promise<experimental.SecureConnectResult> {
    // What HTTP/2 runs on; with TLS there is none before the handshake is done.
    let ready: Socket | undefined;
    // Whoever speaks HTTP/2 begins with its settings, unasked.
    const giveUp = (why: string): void => {
      if (ready === undefined || ready.bytesRead === 0) (ready ?? socket).destroy(new Error(why));
    };
    this.#giveUp = giveUp;
    this.#watch(socket, giveUp);
    if (this.#destroyed) giveUp("the channel was closed");
    const prepared = this.#load === undefined ? undefined : (this.#prepared ?? (await this.#load()));
    if (prepared === undefined) {
      ready = socket;
      this.#opened(socket, socket);
      return { socket, secure: false };
    }
    const startedAt = performance.now();
    const { options, serverName = this.#host } = prepared;
    // A server name that is an address is against the standard; the certificate is checked for it all the same.
    const named = isIP(serverName) === 0 ? { servername: serverName } : {};
    const tlsSocket = connect({ ...options, ...named, socket, host: serverName });
    try {
      await new Promise<void>((resolve, reject) => {
        tlsSocket.once("secureConnect", resolve);
        tlsSocket.once("close", () => reject(new Error("the connection was closed during the TLS handshake")));
        tlsSocket.on("error", reject);
        socket.once("error", reject);
      });
    } catch (error) {
      connectionFails(clientConnections, protocol, { target: this.#sockets.target.name }, startedAt, error);
      throw error;
    }
    ready = tlsSocket;
    this.#opened(tlsSocket, socket);
    return { socket: tlsSocket, secure: true };
  }

  getCallCredentials(): CallCredentials {
    return this.#calls;
  }

  /** grpc-js wants no more connections from here; one that is in use ends by itself when its calls have. */
  destroy(): void {
    this.#destroyed = true;
    this.#giveUp?.("the channel was closed");
  }

  /** Tells that there is a connection, and later of its end. */
  #opened(socket: Socket, raw: Socket): void {
    const kind = raw.remoteAddress === undefined ? "unix" : "tcp";
    const peer = this.#sockets.dialled.get(raw) ?? { kind, address: this.#sockets.target.name };
    const event = connectionBegins(clientConnections, protocol, peer);
    let fault: Error | undefined;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      fault = error;
      // After the server's goodbye Node takes a reset for a good end: calls that were running would fail with INTERNAL, which
      // nobody repeats. It looks at the code, and so does grpc-js, to which both codes are UNAVAILABLE.
      if (error.code === "ECONNRESET") error.code = "ETIMEDOUT";
    });
    socket.once("close", () => connectionEnds(clientConnections, event, fault?.message ?? "closed", fault));
  }

  /** Limits the time until the server speaks, and keeps count of what is open. */
  #watch(socket: Socket, giveUp: (why: string) => void): void {
    const { open, connectTimeoutMs } = this.#sockets;
    const timer = setTimeout(() => giveUp(`the server did not answer within ${connectTimeoutMs} ms`), connectTimeoutMs);
    timer.unref();
    open.add(socket);
    socket.once("close", () => {
      clearTimeout(timer);
      open.delete(socket);
      if (open.size === 0) this.#sockets.emptied?.();
    });
  }
}

const known: ReadonlySet<string> = new Set<keyof ClientTlsOptions | keyof TlsOptions>([
  "ca",
  "cert",
  "key",
  "minVersion",
  "ciphers",
  "serverName",
  "checkServerIdentity",
  // Of options that a server shares; nothing to a client.
  "clientCertificates",
]);

function prepare(tls: ClientTlsOptions): Prepared {
  checkKnown("tls", tls, known);
  const { serverName, checkServerIdentity } = tls;
  const options: ConnectionOptions = {
    secureContext: createSecureContext(toContextOptions(tls)),
    ALPNProtocols: ["h2"],
    ...(checkServerIdentity !== undefined && { checkServerIdentity }),
  };
  return { options, serverName };
}

function wrong(why: string): RpcError {
  return new RpcError(Code.InvalidArgument, `tls ${why}`);
}

function hostOf(authority: string): string {
  const [first = ""] = authority.split(",", 1);
  return /^\[(.+)\](?::\d+)?$/.exec(first)?.[1] ?? (isIP(first) === 6 ? first : first.replace(/:\d+$/, ""));
}
