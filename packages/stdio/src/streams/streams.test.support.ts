// Sockets for the tests of raw streams: a server on an address of this host that does what a test says, and what became of a
// connection.
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { RpcError } from "@guestwire/rpc";
import { spinboxStreamDial } from "@guestwire/rpc/transport";
import { type OpenStreamOptions, openStream, type RawStream } from "./index.js";

/** A listening server. */
export interface Peer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly server: Server;
}

/** Does something with every connection. */
export async function peer(accept: (socket: Socket) => void, port = 0): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const bound = (server.address() as { port: number }).port;
  return {
    address: `tcp://127.0.0.1:${bound}`,
    port: bound,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Connects, and keeps this end open when the other one ends. */
export async function connection(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

/** Everything that comes until the other side ends; this side stays as it is. */
export async function all(stream: Readable): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const data of stream.iterator({ destroyOnReturn: false })) parts.push(data);
  return Buffer.concat(parts).toString("latin1");
}

/** Everything that comes until the other side ends or breaks. */
export async function untilGone(stream: Readable): Promise<string> {
  const parts: Uint8Array[] = [];
  stream.on("error", () => {});
  stream.on("data", (data: Uint8Array) => parts.push(data));
  await new Promise((resolve) => {
    if (stream.destroyed || stream.readableEnded) resolve(undefined);
    stream.once("end", resolve).once("close", resolve);
  });
  return Buffer.concat(parts).toString("latin1");
}

/** For a machine that stands still for longer than spinbox waits. */
export const patient: OpenStreamOptions = {
  policy: { ...spinboxStreamDial, timeoutMs: 0, attempt: { initialMs: 60_000, maxMs: 60_000 } },
  timeoutMs: 60_000,
};

/** Opens a stream as users do, but with patience. */
export function open(target: string, options: OpenStreamOptions = {}): Promise<RawStream<Socket>> {
  return openStream(target, { ...patient, ...options });
}

/** What comes first, up to a number of bytes. */
export async function first(socket: Socket, size: number): Promise<Buffer> {
  for (;;) {
    const data = socket.read(size) as Buffer | null;
    if (data !== null) return data;
    await once(socket, "readable");
  }
}

/** What a call fails with. */
export async function errorOf(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("the call succeeded");
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

/** How many connections a server has. */
export function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
}
