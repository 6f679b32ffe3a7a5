// The floor: bytes on a Node socket, without frames, calls or messages. What is quicker than this does less.
// Messages are sent as a fast library would send them: those of one turn of the event loop in one write.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { BenchCase } from "../cases.js";
import type { Samples } from "../samples.js";
import { type EchoCalls, type Load, loadOf, payloadOf, type Stack, streamLoad } from "../stack.js";
import { dialUnix } from "./dial-unix.js";

// As many small messages of a stream go into one write as there are calls in flight in the unary cases.
const streamBatch = 64;
const batchBytes = 64 * 1024;

/** Echo on `node:net`. */
export const raw: Stack = {
  async serve(socketPath, bench) {
    const server = createServer((socket) => {
      if (bench.kind === "server-stream") socket.on("data", () => void pour(socket, bench));
      else if (bench.kind === "client-stream") count(socket, bench);
      else echo(socket);
    });
    server.listen(socketPath);
    await once(server, "listening");
  },
  async connect(socketPath, bench) {
    if (bench.connections > 1 || bench.kind === "idle-connections") {
      const payload = payloadOf(bench);
      return loadOf(bench, async () => echoCalls(await dialUnix(socketPath), payload));
    }
    const socket = await dialUnix(socketPath);
    return bench.kind === "unary" ? echoLoad(socket, bench) : pourLoad(socket, bench);
  },
};

/** Answers with one byte when a whole upload has come. */
function count(socket: Socket, bench: BenchCase): void {
  let left = bench.messages * bench.bytes;
  socket.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left > 0) return;
    left = bench.messages * bench.bytes;
    socket.write("!");
  });
}

function echo(socket: Socket): void {
  socket.on("data", (chunk: Buffer) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on("drain", () => socket.resume());
}

async function pour(socket: Socket, bench: BenchCase): Promise<void> {
  const perWrite = Math.min(streamBatch, Math.max(1, Math.floor(batchBytes / bench.bytes)));
  const batch = Buffer.concat(Array.from({ length: bench.bytes < 4096 ? perWrite : 1 }, () => payloadOf(bench)));
  for (let left = bench.messages * bench.bytes; left > 0; left -= batch.length) {
    if (!socket.write(batch.subarray(0, left))) await once(socket, "drain");
  }
}

function pourLoad(socket: Socket, bench: BenchCase): Load {
  const expected = bench.kind === "client-stream" ? 1 : bench.messages * bench.bytes;
  let first: () => void;
  let done: (messages: number) => void;
  let left = 0;
  socket.on("data", (chunk: Buffer) => {
    if (left === expected) first();
    left -= chunk.length;
    if (left <= 0) done(bench.messages);
  });
  return streamLoad(bench.messages, (onFirst) => {
    left = expected;
    first = onFirst;
    if (bench.kind === "server-stream") socket.write("go");
    else void pour(socket, bench);
    return new Promise((resolve) => {
      done = resolve;
    });
  });
}

/** One message at a time, which comes back. */
function echoCalls(socket: Socket, payload: Buffer): EchoCalls {
  let left = 0;
  let done: (value?: unknown) => void;
  socket.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left === 0) done();
  });
  const none = (): Promise<never> => Promise.reject(new Error("a bare socket has no streams"));
  return {
    connection: socket,
    unary: () =>
      new Promise((resolve) => {
        left = payload.length;
        done = resolve;
        socket.write(payload);
      }),
    serverStream: none,
    clientStream: none,
    bidiStream: none,
    idleStream: none,
  };
}

/** Counts what comes back, and sends as many messages again in one write. */
function echoLoad(socket: Socket, bench: BenchCase): Load {
  const { inFlight } = bench;
  // A message of no bytes could not be counted.
  const bytes = Math.max(1, bench.bytes);
  const payload = payloadOf({ ...bench, bytes });
  const small = bytes * inFlight <= batchBytes;
  const batch = small ? Buffer.concat(Array.from({ length: inFlight }, () => payload)) : payload;
  const begun = new Float64Array(inFlight);
  // Messages come back in order, so the oldest under way is always the next one.
  let oldest = 0;
  let partial = 0;
  let calls = 0;
  let underWay = 0;
  let until = 0;
  let samples: Samples;
  let done: (calls: number) => void;
  const send = (count: number): void => {
    underWay += count;
    if (small) socket.write(batch.subarray(0, count * bytes));
    else for (let i = 0; i < count; i++) socket.write(batch);
  };
  socket.on("data", (chunk: Buffer) => {
    partial += chunk.length;
    let again = 0;
    while (partial >= bytes) {
      partial -= bytes;
      const now = performance.now();
      samples.add(now - (begun[oldest] as number));
      calls++;
      underWay--;
      if (now < until) {
        begun[oldest] = now;
        again++;
      }
      oldest = oldest + 1 === inFlight ? 0 : oldest + 1;
    }
    if (again > 0) send(again);
    else if (underWay === 0) done(calls);
  });
  return {
    run(end, into) {
      until = end;
      samples = into;
      calls = 0;
      oldest = 0;
      begun.fill(performance.now());
      send(inFlight);
      return new Promise((resolve) => {
        done = resolve;
      });
    },
  };
}
