// The other end of a connection under test, which obeys no rule: sends bytes and frames, and gives what it gets frame by
// frame. Only for tests.
import { createConnection, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { streamPair } from "@guestwire/testkit";
import { encodeFrame } from "./frame.js";
import { FrameDecoder } from "./frame-decoder.js";

/** A frame in a form that tests compare. */
export interface PlainFrame {
  readonly type: number;
  readonly trace: string;
  readonly payload: string;
}

/** The raw end of a connection. */
export interface RawEnd extends AsyncDisposable {
  readonly stream: Duplex;
  /** Settles once the other end has closed. */
  readonly closed: Promise<void>;
  /** Sends bytes in one write. */
  send(...parts: readonly Uint8Array[]): void;
  /** Sends one frame; the payload is text or bytes. */
  frame(type: number, payload?: string | Uint8Array, trace?: string): void;
  /** The next frame; rejects where the connection ends before it. */
  next(): Promise<PlainFrame>;
  end(): void;
  destroy(): void;
}

/** One frame as bytes. */
export function frameBytes(type: number, payload: string | Uint8Array = "", trace = ""): Buffer {
  return Buffer.concat(encodeFrame(type, Buffer.from(trace), Buffer.from(payload as string)));
}

export function rawEnd(stream: Duplex): RawEnd {
  const decoder = new FrameDecoder(2 ** 31);
  const readers: PromiseWithResolvers<PlainFrame>[] = [];
  const closed = Promise.withResolvers<void>();
  let over = false;
  const give = (): void => {
    while (readers.length > 0) {
      const frame = decoder.next();
      if (frame === undefined) break;
      const { type, trace, payload } = frame;
      const hex = Buffer.from(payload).toString("hex");
      readers.shift()?.resolve({ type, trace: Buffer.from(trace).toString(), payload: hex });
    }
    if (over) for (const reader of readers.splice(0)) reader.reject(new Error("the connection ended"));
  };
  const finish = (): void => {
    over = true;
    give();
    closed.resolve();
  };
  stream.on("data", (chunk: Buffer) => {
    decoder.push(chunk);
    give();
  });
  stream.on("error", () => {});
  stream.on("end", finish);
  stream.on("close", finish);
  return {
    stream,
    closed: closed.promise,
    send: (...parts) => void stream.write(Buffer.concat(parts)),
    frame: (type, payload, trace) => void stream.write(frameBytes(type, payload, trace)),
    next() {
      const reader = Promise.withResolvers<PlainFrame>();
      readers.push(reader);
      give();
      return reader.promise;
    },
    end: () => void stream.end(),
    destroy: () => void stream.destroy(),
    async [Symbol.asyncDispose]() {
      stream.destroy();
    },
  };
}

/** A function for `connect()` and the raw agents that it leads to, in the order in which they were dialed. */
export function rawAgents(): { readonly dial: () => Duplex; next(): Promise<RawEnd>; readonly dialed: number } {
  const ends: RawEnd[] = [];
  const readers: ((end: RawEnd) => void)[] = [];
  let dialed = 0;
  return {
    dial() {
      dialed++;
      const [ours, theirs] = streamPair();
      const end = rawEnd(ours);
      const reader = readers.shift();
      if (reader === undefined) ends.push(end);
      else reader(end);
      return theirs;
    },
    next: async () => ends.shift() ?? new Promise((resolve) => readers.push(resolve)),
    get dialed() {
      return dialed;
    },
  };
}

/** A raw client of a socket file. */
export async function rawClient(address: string): Promise<RawEnd> {
  const socket = createConnection(address.slice("unix://".length));
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return rawEnd(socket);
}

/** A server on a socket file that hands out raw ends. */
export async function rawServer(path: string, accept: (end: RawEnd) => void): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    accept(rawEnd(socket));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
