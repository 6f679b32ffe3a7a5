// Test support: the echo service behind a transport of Connect, on every wire there is.
import type { ServiceImpl } from "@connectrpc/connect";
import { connect, serve } from "@guestwire/grpc";
import {
  type CallDefaults,
  type Channel,
  createInProcessChannel,
  type Handlers,
  type ServiceOptions,
} from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import * as ttrpc from "@guestwire/ttrpc";

/** Handlers of the echo service for a test; the rest are those of the testkit. */
export type EchoHandlers = Partial<Handlers<typeof EchoService>>;
export type EchoImpl = Partial<ServiceImpl<typeof EchoService>>;

/** A channel to the echo service, and its end. */
export interface Wire extends AsyncDisposable {
  readonly channel: Channel;
}

export interface WireKind {
  readonly name: string;
  open(handlers?: EchoHandlers, server?: ServiceOptions, client?: CallDefaults): Promise<Wire>;
}

/** In-process, ttrpc and gRPC. */
export const wires: readonly WireKind[] = [
  {
    name: "in-process",
    async open(handlers = {}, server = {}, client = {}) {
      const all = { ...echoHandlers, ...handlers };
      const channel = createInProcessChannel((router) => router.service(EchoService, all, server), client);
      return { channel, [Symbol.asyncDispose]: () => channel.close() };
    },
  },
  {
    name: "ttrpc",
    async open(handlers = {}, options = {}, client = {}) {
      const folder = await tempFolder();
      const server = ttrpc.serve(options).service(EchoService, { ...echoHandlers, ...handlers });
      const channel = ttrpc.connect(await server.listen(`unix://${folder.file("t.sock")}`), client);
      return {
        channel,
        async [Symbol.asyncDispose]() {
          await channel.close();
          await server.close({ graceMs: 0 });
          await folder[Symbol.asyncDispose]();
        },
      };
    },
  },
  {
    name: "gRPC",
    async open(handlers = {}, options = {}, client = {}) {
      const server = serve(options).service(EchoService, { ...echoHandlers, ...handlers });
      const channel = connect(await server.listen("tcp://127.0.0.1:0"), client);
      return {
        channel,
        async [Symbol.asyncDispose]() {
          await channel.close();
          await server.close({ graceMs: 0 });
        },
      };
    },
  },
];

/** Reads a stream to its end. */
export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

/** Waits for the rejection of a promise and gives what it was rejected with. */
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
