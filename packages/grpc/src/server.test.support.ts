// What the tests of the server share: an echo server with a client of ours, and a client of raw HTTP/2 that can do wrong.
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { createConnection } from "node:net";
import { type Channel, type Client, createClient, type Handlers } from "@guestwire/rpc";
import { parseAddress } from "@guestwire/rpc/transport";
import { EchoRequestSchema, EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { connect } from "./channel.js";
import type { ConnectOptions } from "./channel-options.js";
import { serializerOf } from "./serialize.js";
import { serve } from "./server.js";
import type { ServeOptions, Server } from "./server-options.js";

/** A server of the echo service, with a client. */
export interface EchoServer extends AsyncDisposable {
  readonly server: Server;
  readonly address: string;
  readonly channel: Channel;
  readonly client: Client<typeof EchoService>;
}

/** Serves the echo service on a unix socket of its own, or on `at`. */
export async function echoServer(
  handlers: Partial<Handlers<typeof EchoService>> = {},
  options: ServeOptions & { readonly at?: string; readonly client?: ConnectOptions } = {},
): Promise<EchoServer> {
  const { at, client: clientOptions, ...serverOptions } = options;
  const folder = await tempFolder();
  const server = serve(serverOptions).service(EchoService, { ...echoHandlers, ...handlers });
  const address = await server.listen(at ?? `unix://${folder.file("g.sock")}`);
  const channel = connect(address, clientOptions);
  return {
    server,
    address,
    channel,
    client: createClient(EchoService, channel),
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A connection that speaks HTTP/2 and nothing of gRPC. */
export interface RawClient extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  /** Begins a call of a method of the echo service, or of a path. */
  call(method: string, headers?: OutgoingHttpHeaders): ClientHttp2Stream;
}

/** Connects to an address of a server. */
export async function rawClient(address: string): Promise<RawClient> {
  const parsed = parseAddress(address);
  const target = parsed.kind === "tcp" ? parsed : { path: parsed.kind === "unix" ? parsed.path : "" };
  const session = connectHttp2("http://localhost", { createConnection: () => createConnection(target) });
  // What the server does to a connection is what tests look at; it is no fault of theirs.
  session.on("error", () => {});
  await once(session, "connect");
  // Not `once`, which takes an error for the end.
  const closed = new Promise((resolve) => session.once("close", resolve));
  return {
    session,
    call(method, headers = {}) {
      const stream = session.request({
        ":method": "POST",
        ":path": method.startsWith("/") ? method : `/${EchoService.typeName}/${method}`,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      stream.on("error", () => {});
      return stream;
    },
    async [Symbol.asyncDispose]() {
      session.destroy();
      await closed;
    },
  };
}

/** A message as gRPC frames it. */
export function framed(message: Uint8Array, flags = 0, length: number = message.length): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(length, 1);
  frame.set(message, 5);
  return frame;
}

/** A request of the echo service as gRPC frames it. */
export function echoFrame(text: string): Buffer {
  return framed(serializerOf(EchoRequestSchema)({ text }));
}

/** How a call ended: the status from the trailers, or from the header where there was nothing else. */
export interface RawEnd {
  /** HTTP's status; `undefined` where no header came. */
  readonly http: number | undefined;
  /** gRPC's status; `undefined` where none came. */
  readonly status: number | undefined;
  readonly message: string;
  readonly bytes: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
}

/** Reads a call to its end, however it comes. */
export async function rawEnd(stream: ClientHttp2Stream): Promise<RawEnd> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  let bytes = 0;
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  if (!stream.closed || !stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
  const status = trailers["grpc-status"] ?? headers["grpc-status"];
  const message = trailers["grpc-message"] ?? headers["grpc-message"] ?? "";
  return {
    http: headers[":status"] === undefined ? undefined : Number(headers[":status"]),
    status: status === undefined ? undefined : Number(status),
    message: decodeURIComponent(String(message)),
    bytes,
    headers,
    trailers,
  };
}

/** Gives what a promise was rejected with. */
export async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** Resolves with the reason when the signal has fired. */
export function fired(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** Waits until a condition holds, one turn of the event loop after the other; for as long as the test may take. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
