// What a stack has to offer to be measured: a server, and a client that keeps it busy.
import type { BenchCase } from "./cases.js";
import type { Samples } from "./samples.js";

/** One of the libraries that are compared. */
export interface Stack {
  /** Starts a server for this case on a unix socket. Resolves when it takes connections. Runs in a process of its own. */
  serve(socketPath: string, bench: BenchCase): Promise<void>;
  /** Connects to it. Runs in another process. */
  connect(socketPath: string, bench: BenchCase): Promise<Load>;
}

/** A client that can be told to work. */
export interface Load {
  /**
   * Makes calls one after the other, `inFlight` at a time, until the clock of `performance.now` says `until`; then waits
   * for those that are under way.
   *
   * @param samples Takes the latency of each call; of a stream, the time until its first message.
   * @returns How many calls were made; of streams, how many messages came.
   */
  run(until: number, samples: Samples): Promise<number>;
}

/** A load of `inFlight` workers that each make one call after the other. */
export function unaryLoad(inFlight: number, call: () => Promise<unknown>): Load {
  return {
    async run(until, samples) {
      let calls = 0;
      const work = async (): Promise<void> => {
        for (let begin = performance.now(); begin < until; ) {
          await call();
          const end = performance.now();
          samples.add(end - begin);
          calls++;
          begin = end;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, work));
      return calls;
    },
  };
}

/**
 * A load of one stream after the other.
 *
 * @param read Makes a call to its end; tells of the first message (of an upload, of its answer) and gives the number of
 * messages that the other end got or sent.
 */
export function streamLoad(messages: number, read: (first: () => void) => Promise<number>): Load {
  return {
    async run(until, samples) {
      let total = 0;
      for (let begin = performance.now(); begin < until; begin = performance.now()) {
        const received = await read(() => samples.add(performance.now() - begin));
        if (received !== messages) throw new Error(`${received} messages came of ${messages}`);
        total += received;
      }
      return total;
    },
  };
}

/** The calls of a client, each as the library's users would make it. */
export interface EchoCalls {
  /** One call with the case's payload. */
  unary(): Promise<unknown>;
  /** Has the server send all messages; gives how many came. */
  serverStream(first: () => void): Promise<number>;
  /** Sends all messages; gives how many the server counted. */
  clientStream(first: () => void): Promise<number>;
  /** Sends all messages and reads their echoes at the same time; gives how many came. */
  bidiStream(first: () => void): Promise<number>;
}

/** The load that a case asks for. */
export function loadOf(bench: BenchCase, calls: EchoCalls): Load {
  switch (bench.kind) {
    case "unary":
      return unaryLoad(bench.inFlight, () => calls.unary());
    case "server-stream":
      return streamLoad(bench.messages, (first) => calls.serverStream(first));
    case "client-stream":
      return streamLoad(bench.messages, (first) => calls.clientStream(first));
    case "bidi-stream":
      return streamLoad(bench.messages, (first) => calls.bidiStream(first));
  }
}

/** How often something that tells of the first message is called for the messages after it: never. */
export function counter(first: () => void): { count: number; add(): void } {
  return {
    count: 0,
    add() {
      if (this.count++ === 0) first();
    },
  };
}

/** The payload that every message of a case carries: bytes of all values. */
export function payloadOf(bench: BenchCase): Buffer<ArrayBuffer> {
  const payload = Buffer.allocUnsafeSlow(bench.bytes);
  for (let i = 0; i < payload.length; i++) payload[i] = i;
  return payload;
}
