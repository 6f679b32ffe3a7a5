// One way into a server: connections that somebody accepted go into an HTTP/2 server of grpc-js, its calls come out here.
// Listening sockets are opened by rpc, as for every transport; handlers are the call's affair.
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import {
  type ConnectionInjector,
  type Server as GrpcServer,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";
import { type ServerKeepalive, watchPings } from "./keepalive.js";
import { peerIdentity } from "./peer-identity.js";
import { cutTimeout, refuseOthers, unknownEncoding } from "./request-headers.js";
import { GrpcServerCall } from "./server-call.js";
import { ListenerCredentials, type ServerTls } from "./server-credentials.js";
import type { ServerConnection, ServerShared } from "./server-shared.js";
import { errorStatus } from "./server-status.js";
import { WireMetadata } from "./wire-metadata.js";

/** Under this path grpc-js knows a method that takes the calls to all that it does not know. No request can name it. */
export const unknownPath = "unknown";

const defaultWindowBytes = 65_535;

/** Takes connections and serves the calls on them. */
export class ServerListener {
  readonly #shared: ServerShared;
  readonly #keepalive: ServerKeepalive;
  readonly #credentials: ListenerCredentials;
  readonly #injector: ConnectionInjector;
  readonly #connections = new WeakMap<object, ServerConnection>();
  // Who is at the other end of the connections that were handed over.
  readonly #peers = new WeakMap<object, Peer>();
  #draining = false;
  // The peer of the connection that is handed over just now; TLS connections become sessions later.
  #accepting: Peer | undefined;
  // The call that grpc-js tells its interceptors of just now.
  #stream: ServerHttp2Stream | undefined;
  #path = "";
  #unknownEncoding: string | undefined;
  readonly #defaultPeer: Peer;

  /**
   * @param peer How handlers see clients of whose connection nothing else is known.
   * @param tls Absent for plaintext.
   */
  constructor(
    server: GrpcServer,
    shared: ServerShared,
    keepalive: ServerKeepalive,
    peer: Peer,
    tls: ServerTls | undefined,
  ) {
    this.#shared = shared;
    this.#keepalive = keepalive;
    this.#defaultPeer = peer;
    this.#credentials = new ListenerCredentials((_method, call) => new TakenCall(call, this), tls);
    this.#injector = server.createConnectionInjector(this.#credentials);
    const http2Server = newestHttp2Server(server);
    http2Server.updateSettings({
      maxConcurrentStreams: shared.limits.connectionCalls,
      maxHeaderListSize: shared.limits.metadataBytes,
      initialWindowSize: shared.limits.streamWindowBytes,
    });
    http2Server.on("session", (session) => this.#opened(session));
    // Before grpc-js sees it.
    http2Server.prependListener("stream", (stream, headers) => this.#announce(stream as ServerHttp2Stream, headers));
  }

  /** Takes an open connection. */
  accept(connection: Duplex, peer: Peer): void {
    this.#accepting = peer;
    this.#peers.set(connection, peer);
    this.#injector.injectConnection(connection);
    this.#accepting = undefined;
  }

  /** What connections from now on use. */
  updateTls(tls: ServerTls): void {
    this.#credentials.update(tls.current);
  }

  /** Takes no further calls; connections end when their calls have. */
  drain(): void {
    this.#draining = true;
    this.#injector.destroy();
  }

  #opened(session: ServerHttp2Session): void {
    const peer = this.#accepting ?? this.#peerOf(session.socket as TLSSocket);
    this.#connections.set(session, { peer, running: 0 });
    // A socket that was attached before it was connected has no HTTP/2 yet.
    if (session.connecting) session.once("connect", () => this.#widen(session));
    else this.#widen(session);
    watchPings(session, this.#keepalive);
    // It was in its handshake when the others were told.
    if (this.#draining) session.close();
  }

  /**
   * Sets the connection's own window, which is not part of the settings. In Node only the windows of streams wait for a
   * reader, so that it need not be larger than theirs. grpc-js does the same on a client.
   */
  #widen(session: ServerHttp2Session): void {
    const { streamWindowBytes } = this.#shared.limits;
    if (streamWindowBytes > defaultWindowBytes && !session.destroyed) session.setLocalWindowSize(streamWindowBytes);
  }

  #peerOf(socket: TLSSocket): Peer {
    // Node keeps what TLS runs on, and shows it nowhere else.
    const from = this.#peers.get((socket as { _parent?: object })._parent ?? socket) ?? this.#defaultPeer;
    // Not authorized: it showed none, or one that was not verified.
    if (!socket.authorized) return from;
    return { ...from, identity: peerIdentity(socket.getPeerCertificate()) };
  }

  #announce(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#stream = stream;
    const path = String(headers[":path"]);
    this.#path = path;
    if (!this.#shared.methods.has(path)) headers[":path"] = unknownPath;
    refuseOthers(headers);
    this.#unknownEncoding = unknownEncoding(headers);
    cutTimeout(headers, this.#shared.limits.deadlineMs);
  }

  /** @internal Serves the call that was announced. */
  begin(call: ServerInterceptingCallInterface): void {
    const stream = this.#stream as ServerHttp2Stream;
    this.#stream = undefined;
    const method = this.#shared.methods.get(this.#path);
    const connection = this.#connections.get(stream.session as ServerHttp2Session);
    if (method === undefined) call.sendStatus(this.#missing(this.#path));
    else if (this.#unknownEncoding !== undefined) call.sendStatus(notCompressedSo(this.#unknownEncoding));
    else if (connection !== undefined) {
      new GrpcServerCall(call, stream, method, connection, this.#shared).start();
    }
  }

  #missing(path: string): StatusObject {
    const { router, limits } = this.#shared;
    const parts = /^\/([^/]+)\/([^/]+)$/.exec(path);
    const error = withoutStack(() =>
      parts === null
        ? new RpcError(Code.Unimplemented, `malformed method name: "${path}"`)
        : router.missing(parts[1] as string, parts[2] as string),
    );
    return errorStatus(error, undefined, limits.metadataBytes);
  }
}

function notCompressedSo(encoding: string): StatusObject {
  const metadata = new WireMetadata();
  metadata.set("grpc-accept-encoding", "identity,deflate,gzip");
  return { code: status.UNIMPLEMENTED, details: `messages compressed as ${encoding} cannot be read`, metadata };
}

/** A call of which grpc-js' own handling is left out: what it would do at its start is ours. */
class TakenCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #listener: ServerListener;

  constructor(call: ServerInterceptingCallInterface, listener: ServerListener) {
    super(call);
    this.#call = call;
    this.#listener = listener;
  }

  override start(): void {
    this.#listener.begin(this.#call);
  }
}

/**
 * The HTTP/2 server that grpc-js has just made. Its own API shows it nowhere, and without it there is no limit for headers
 * and pings, no peer of a connection, and deadlines of more than 25 days pass at once.
 */
function newestHttp2Server(server: GrpcServer): Http2Server {
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  const newest = http2Servers instanceof Map ? [...http2Servers.keys()].at(-1) : undefined;
  if (newest !== undefined) return newest;
  throw new RpcError(Code.Internal, "this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere");
}
