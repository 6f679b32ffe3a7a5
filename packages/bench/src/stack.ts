// What a stack has to offer to be measured: a server, and a client that keeps it busy.
import type { BenchCase } from "./cases.js";
import type { Feature } from "./features.js";
import type { Samples } from "./samples.js";

/** A case with all that calls have put on, by the case and by the stack's name. */
export interface DressedCase extends BenchCase {
  readonly features: ReadonlySet<Feature>;
}

/** One of the libraries that are compared. */
export interface Stack {
  /** Starts a server for this case on a unix socket. Resolves when it takes connections. Runs in a process of its own. */
  serve(socketPath: string, bench: DressedCase): Promise<void>;
  /** Connects to it, as often as the case has connections. Runs in another process. */
  connect(socketPath: string, bench: DressedCase): Promise<Load>;
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
  /**
   * Opens streams or connections, uses each once and leaves them open. Resolves when all are.
   *
   * @param samples Takes how long each took.
   */
  open?(count: number, samples: Samples): Promise<void>;
}

/** A load of `inFlight` workers that each make one call after the other. */
export function unaryLoad(inFlight: number, callOf: (worker: number) => () => Promise<unknown>): Load {
  return {
    async run(until, samples) {
      let calls = 0;
      const work = async (worker: number): Promise<void> => {
        const call = callOf(worker);
        for (let begin = performance.now(); begin < until; ) {
          await call();
          const end = performance.now();
          samples.add(end - begin);
          calls++;
          begin = end;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)));
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
  /** Opens a stream in both directions, sends a message, reads its echo, and leaves the stream open. */
  idleStream(): Promise<void>;
  /** What has to be kept for the connection to stay open. */
  readonly connection: unknown;
}

/**
 * The load that a case asks for, over as many connections.
 *
 * @param open Opens one.
 * @param atOnce How many may be opened at a time. Default 256: below a unix socket's backlog, past which most libraries fail.
 */
export async function loadOf(bench: BenchCase, open: () => Promise<EchoCalls>, atOnce = 256): Promise<Load> {
  if (bench.kind === "idle-connections") {
    const kept: unknown[] = [];
    return idleLoad(async () => {
      const calls = await open();
      await calls.unary();
      kept.push(calls.connection);
    }, atOnce);
  }
  const connections = await inBatches(bench.connections, atOnce, async () => {
    const calls = await open();
    // Many libraries connect with the first call only.
    if (bench.connections > 1) await calls.unary();
    return calls;
  });
  return loadOver(bench, connections);
}

function loadOver(bench: BenchCase, connections: readonly EchoCalls[]): Load {
  const [calls] = connections as readonly [EchoCalls];
  switch (bench.kind) {
    case "unary":
    case "idle-connections":
      return unaryLoad(bench.inFlight, (worker) => {
        const own = connections[worker % connections.length] as EchoCalls;
        return () => own.unary();
      });
    case "server-stream":
      return streamLoad(bench.messages, (first) => calls.serverStream(first));
    case "client-stream":
      return streamLoad(bench.messages, (first) => calls.clientStream(first));
    case "bidi-stream":
      return streamLoad(bench.messages, (first) => calls.bidiStream(first));
    case "idle-streams":
      return idleLoad(() => calls.idleStream(), 256);
  }
}

/** A load that opens things and leaves them alone, some at a time. */
function idleLoad(openOne: () => Promise<unknown>, atOnce: number): Load {
  return {
    run: () => Promise.reject(new Error("what is idle makes no calls")),
    async open(count, samples) {
      await inBatches(count, atOnce, async () => {
        const begin = performance.now();
        await openOne();
        samples.add(performance.now() - begin);
      });
    },
  };
}

/** Does something as often as asked for, a bounded number at a time. */
async function inBatches<T>(count: number, atOnce: number, one: () => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  while (done.length < count) {
    const length = Math.min(atOnce, count - done.length);
    done.push(...(await Promise.all(Array.from({ length }, one))));
  }
  return done;
}

/** A message, and then nothing more: what a stream that idles is given to send. As small as it can be. */
export class OnceThenNothing<T> implements AsyncIterableIterator<T> {
  #message: T | undefined;

  constructor(message: T) {
    this.#message = message;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    const value = this.#message;
    if (value === undefined) return never;
    this.#message = undefined;
    return Promise.resolve({ done: false, value });
  }

  return(): Promise<IteratorResult<T>> {
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T>> {
    return Promise.reject(error);
  }
}

const never = new Promise<never>(() => {});

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
