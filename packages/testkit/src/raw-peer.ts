// A peer that sends and receives raw frames: the other end of a client or a server under test. Obeys no rule of ttrpc.
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { decodeFrames, encodeFrames, type RawFrame, unhex } from "./frames.js";
import { streamPair } from "./stream-pair.js";

/** What {@link RawPeer.send} takes: a frame, bytes, or hexadecimal text. */
export type RawPart = RawFrame | Uint8Array | string;

/** The raw end of a connection. */
export interface RawPeer extends AsyncDisposable {
  /** The stream under it. */
  readonly stream: Duplex;
  /** Whether the other end is gone. */
  readonly isClosed: boolean;
  /** Settles once the other end is gone and all it sent was taken in. */
  readonly closed: Promise<void>;
  /** Bytes received in all. */
  readonly receivedBytes: number;
  /** Sends all parts in one write. */
  send(...parts: readonly RawPart[]): void;
  /** The next frame that was not given out yet. Rejects when the connection ends before one is whole. */
  next(): Promise<RawFrame>;
  /** The next so many frames. */
  take(count: number): Promise<RawFrame[]>;
  /**
   * What a server has sent until now: asks it with ten zero bytes, which every ttrpc server answers in order, and gives
   * the frames before that answer. So a test can be sure that nothing was sent without waiting for time to pass.
   */
  untilProbe(): Promise<RawFrame[]>;
  /** Reads nothing more until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes this side. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** Makes a raw peer of a stream. */
export function rawPeer(stream: Duplex): RawPeer {
  let rest: Buffer = Buffer.alloc(0);
  let received = 0;
  let over = false;
  const frames: RawFrame[] = [];
  const readers: PromiseWithResolvers<RawFrame>[] = [];
  const closed = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => {
    received += chunk.length;
    const cut = decodeFrames(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
    rest = cut.rest;
    for (const frame of cut.frames) {
      const reader = readers.shift();
      if (reader === undefined) frames.push(frame);
      else reader.resolve(frame);
    }
  });
  const finish = (): void => {
    over = true;
    closed.resolve();
    for (const reader of readers.splice(0)) reader.reject(new Error("the connection ended; no further frame came"));
  };
  stream.on("error", () => {});
  stream.on("end", finish);
  stream.on("close", finish);

  const next = (): Promise<RawFrame> => {
    const frame = frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (over) return Promise.reject(new Error("the connection has ended; no further frame came"));
    const reader = Promise.withResolvers<RawFrame>();
    readers.push(reader);
    return reader.promise;
  };
  const take = async (count: number): Promise<RawFrame[]> => {
    const taken: RawFrame[] = [];
    while (taken.length < count) taken.push(await next());
    return taken;
  };
  return {
    stream,
    closed: closed.promise,
    get isClosed() {
      return over;
    },
    get receivedBytes() {
      return received;
    },
    send: (...parts) => void stream.write(Buffer.concat(parts.map(encode))),
    next,
    take,
    async untilProbe() {
      stream.write(Buffer.alloc(10));
      const before: RawFrame[] = [];
      for (;;) {
        const frame = await next();
        if (frame.id === 0) return before;
        before.push(frame);
      }
    },
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    end: () => void stream.end(),
    destroy: () => void stream.destroy(),
    async [Symbol.asyncDispose]() {
      stream.destroy();
      if (stream.closed) return;
      await new Promise((resolve) => stream.once("close", resolve));
    },
  };
}

/** A raw peer and the stream whose other end it is, inside this process. */
export function rawPair(): { readonly peer: RawPeer; readonly stream: Duplex } {
  const [ours, theirs] = streamPair();
  return { peer: rawPeer(ours), stream: theirs };
}

/** Connects a raw peer to a socket file. */
export async function rawConnect(path: string): Promise<RawPeer> {
  const socket = createConnection(path);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return rawPeer(socket);
}

/** A listening socket whose connections are raw peers. */
export interface RawServer extends AsyncDisposable {
  readonly server: Server;
  /** All connections so far. */
  readonly accepted: readonly RawPeer[];
  /** The next connection that was not given out yet. */
  accept(): Promise<RawPeer>;
}

/** Listens on a socket file for raw peers. */
export async function rawListen(path: string): Promise<RawServer> {
  const accepted: RawPeer[] = [];
  const waiting: RawPeer[] = [];
  const readers: ((peer: RawPeer) => void)[] = [];
  const server = createServer((socket: Socket) => {
    const peer = rawPeer(socket);
    accepted.push(peer);
    const reader = readers.shift();
    if (reader === undefined) waiting.push(peer);
    else reader(peer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return {
    server,
    accepted,
    async accept() {
      return waiting.shift() ?? new Promise((resolve) => readers.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      for (const peer of accepted) peer.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function encode(part: RawPart): Uint8Array {
  if (typeof part === "string") return unhex(part);
  return part instanceof Uint8Array ? part : encodeFrames([part]);
}
