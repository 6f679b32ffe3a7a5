// What gRPC in Node stands on: node:http2 with a request, a response and a trailer for each call. No messages, no frames in
// them, no codecs: the bytes are the payload.
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type ServerHttp2Stream,
} from "node:http2";
import type { BenchCase } from "../cases.js";
import { type EchoCalls, loadOf, payloadOf, type Stack } from "../stack.js";
import { dialUnix } from "./dial-unix.js";

// In MB. With the default of 10 a session refuses calls while a few large payloads are on their way.
const maxSessionMemory = 1000;

/** node:http2. */
export const http2: Stack = {
  async serve(socketPath, bench) {
    const server = createServer({ maxSessionMemory });
    server.on("stream", (stream) => answer(stream as ServerHttp2Stream, bench));
    server.listen(socketPath);
    await once(server, "listening");
  },
  async connect(socketPath, bench) {
    const payload = payloadOf(bench);
    return loadOf(bench, async () => {
      const socket = await dialUnix(socketPath);
      const session = connect("http://localhost", { createConnection: () => socket, maxSessionMemory });
      await once(session, "connect");
      return callsOf(session, bench, payload);
    });
  },
};

function answer(stream: ServerHttp2Stream, bench: BenchCase): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  if (bench.kind === "unary" || bench.kind === "idle-connections") {
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => stream.end(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
  } else if (bench.kind === "server-stream") {
    stream.resume();
    void writeAll(stream, bench, payloadOf(bench));
  } else if (bench.kind === "bidi-stream" || bench.kind === "idle-streams") stream.pipe(stream);
  else {
    let bytes = 0;
    stream.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    stream.on("end", () => stream.end(String(bytes / bench.bytes)));
  }
}

function callsOf(session: ClientHttp2Session, bench: BenchCase, payload: Buffer): EchoCalls {
  const headers = {
    ":method": "POST",
    ":path": "/guestwire.test.v1.EchoService/Echo",
    "content-type": "application/grpc",
    te: "trailers",
    ...(bench.full && { "grpc-timeout": "10S", "x-request-id": "0123456789abcdef", "x-tenant": "bench" }),
  };
  const messagesIn = async (stream: ClientHttp2Stream, first: () => void): Promise<number> =>
    (await bytesOf(stream, first)) / bench.bytes;
  return {
    connection: session,
    unary() {
      const stream = session.request(headers);
      stream.end(payload);
      return bytesOf(stream, () => {});
    },
    serverStream(first) {
      const stream = session.request(headers);
      stream.end();
      return messagesIn(stream, first);
    },
    async clientStream(first) {
      const stream = session.request(headers);
      void writeAll(stream, bench, payload);
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part as Buffer);
      first();
      return Number(Buffer.concat(parts).toString());
    },
    bidiStream(first) {
      const stream = session.request(headers);
      void writeAll(stream, bench, payload);
      return messagesIn(stream, first);
    },
    async idleStream() {
      const stream = session.request(headers);
      stream.write(payload);
      await once(stream, "data");
    },
  };
}

function bytesOf(stream: ClientHttp2Stream, first: () => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    stream.on("data", (part: Buffer) => {
      if (bytes === 0) first();
      bytes += part.length;
    });
    stream.on("end", () => resolve(bytes));
    stream.on("error", reject);
  });
}

async function writeAll(
  stream: ServerHttp2Stream | ClientHttp2Stream,
  bench: BenchCase,
  payload: Buffer,
): Promise<void> {
  for (let i = 0; i < bench.messages; i++) if (!stream.write(payload)) await once(stream, "drain");
  stream.end();
}
