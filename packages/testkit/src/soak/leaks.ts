// Many calls of one kind on one pair of client and server, in this process: what of heap, descriptors and listeners they leave.
import { getEventListeners } from "node:events";
import { createConnection, type Socket } from "node:net";
import { type CallOptions, Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { connect, serve } from "@guestwire/ttrpc";
import { EchoService, echoHandlers } from "../echo/index.js";
import { tempFolder } from "../temp-folder.js";
import { difference, type Footprint, footprint, growth } from "./footprint.js";
import type { EchoClient } from "./operations.js";

/** One row of the table. */
export interface LeakResult {
  readonly name: string;
  readonly count: number;
  readonly ms: number;
  readonly before: Footprint;
  readonly after: Footprint;
  /** By how much the heap grew from the second sample to the last, in bytes. */
  readonly growthBytes: number;
  /** How much longer the last tenth took than the second. */
  readonly slower: number;
  readonly problems: readonly string[];
}

/** What runs many times. */
export interface LeakProgram {
  readonly name: string;
  /** How often, unless it is told otherwise. */
  readonly count: number;
  /** How many at a time. */
  readonly depth: number;
  /** Does it once. @param n The how-manieth time. */
  run(home: LeakHome, n: number): Promise<unknown>;
}

/** What programs run on. */
export interface LeakHome {
  readonly client: EchoClient;
  /** A signal that never fires. */
  readonly signal: AbortSignal;
  readonly address: string;
  /** The sockets of the client's connections, of which there is one at a time. */
  readonly socket: () => Socket;
}

// What is on its way when a sample is taken, and code that is compiled later.
const noise = 1.5e6;
const samples = 10;

/** All programs, with the counts of a full run. */
export const leakPrograms: readonly LeakProgram[] = [
  {
    name: "unary calls",
    count: 2_000_000,
    depth: 64,
    run: ({ client }, n) => client.echo({ text: "x" }, n % 2 === 0 ? { timeoutMs: 60_000 } : {}),
  },
  { name: "streams opened and abandoned", count: 1_000_000, depth: 64, run: ({ client }, n) => abandon(client, n % 5) },
  {
    name: "calls on one signal",
    count: 10_000,
    depth: 1000,
    run: ({ client, signal }, n) => ofAnyKind(client, { signal }, n % 4),
  },
  {
    name: "connections lost and made anew",
    count: 10_000,
    depth: 1,
    async run({ client, socket }) {
      await client.echo({ text: "x" });
      // The channel has to see the end before the next call, which would otherwise be lost with this connection.
      const gone = new Promise((resolve) => socket().once("close", resolve));
      socket().destroy();
      await gone;
    },
  },
  {
    name: "channels opened and closed",
    count: 5_000,
    depth: 4,
    async run({ address }) {
      await using channel = connect(address);
      await createClient(EchoService, channel).echo({ text: "x" });
    },
  },
];

async function abandon(client: EchoClient, how: number): Promise<unknown> {
  if (how === 0) {
    for await (const _ of client.split({ count: 100 })) break;
    return;
  }
  if (how === 1) return await client.split({ count: 10 }).return?.();
  const control = new AbortController();
  const options = { signal: control.signal, timeoutMs: 10_000 };
  const requests = createPushStream<{ text: string }>();
  if (how === 2) {
    const chat = client.chat(requests, options);
    void requests.push({ text: "x" });
    await chat.next();
    return await chat.return?.();
  }
  const call = how === 3 ? client.join(requests, options) : client.chat(requests, options).next();
  await requests.push({ text: "x" });
  control.abort();
  return await failsWith(Code.Canceled, call);
}

async function ofAnyKind(client: EchoClient, options: CallOptions, kind: number): Promise<unknown> {
  if (kind === 0) return await client.echo({ text: "x" }, options);
  if (kind === 1) return await failsWith(Code.NotFound, client.fail({ code: Code.NotFound }, options));
  if (kind === 2) {
    let last: bigint | undefined;
    for await (const { number } of client.split({ count: 2 }, options)) last = number;
    return last;
  }
  return await client.join([{ text: "x" }], options);
}

async function failsWith(code: Code, call: PromiseLike<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError && error.code === code) return;
    throw error;
  }
  throw new Error("a call that has to fail did not");
}

/** Runs a program so many times, and compares what is held before and after. */
export async function runLeakProgram(program: LeakProgram, count: number): Promise<LeakResult> {
  await using folder = await tempFolder();
  const start = await footprint();
  const server = serve().service(EchoService, echoHandlers);
  const path = folder.file("s");
  const address = await server.listen(`unix://${path}`);
  let last: Socket | undefined;
  const channel = connect(() => {
    last = createConnection(path);
    return last;
  });
  const { signal } = new AbortController();
  const home: LeakHome = { client: createClient(EchoService, channel), signal, address, socket: () => last as Socket };
  const many = async (from: number, to: number): Promise<number> => {
    const began = performance.now();
    let next = from;
    const one = async (): Promise<void> => {
      while (next < to) await program.run(home, next++);
    };
    await Promise.all(Array.from({ length: program.depth }, one));
    return performance.now() - began;
  };

  await many(0, Math.ceil(count / 20));
  const before = await footprint();
  const heaps: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    times.push(await many(Math.floor((count * i) / samples), Math.floor((count * (i + 1)) / samples)));
    while (server.runningCalls > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    heaps.push((await footprint()).heapBytes);
  }
  const after = await footprint();
  const listeners = getEventListeners(signal, "abort").length;
  await channel.close();
  await server.close();
  const growthBytes = growth(heaps.slice(1));
  const problems = difference(before, after);
  problems.push(...difference(start, await footprint()).map((text) => `at the end ${text}`));
  if (growthBytes > noise) problems.push(`the heap grew by ${(growthBytes / 1e6).toFixed(2)} MB`);
  if (listeners > 0) problems.push(`${listeners} listeners are left on the signal`);
  const ms = times.reduce((sum, each) => sum + each, 0);
  const slower = (times.at(-1) as number) / (times[1] as number);
  return { name: program.name, count, ms, before, after, growthBytes, slower, problems };
}

/** How long a call takes while so many of them wait on one signal, in microseconds. */
export async function timeOnOneSignal(concurrent: readonly number[]): Promise<{ calls: number; us: number }[]> {
  await using folder = await tempFolder();
  const server = serve().service(EchoService, echoHandlers);
  const channel = connect(await server.listen(`unix://${folder.file("s")}`));
  const client = createClient(EchoService, channel);
  const { signal } = new AbortController();
  const told: { calls: number; us: number }[] = [];
  // The first round is for the compiler.
  for (const calls of [concurrent[0] as number, ...concurrent]) {
    const began = performance.now();
    await Promise.all(Array.from({ length: calls }, () => client.echo({ text: "x" }, { signal })));
    told.push({ calls, us: ((performance.now() - began) * 1000) / calls });
  }
  await channel.close();
  await server.close();
  return told.slice(1);
}
