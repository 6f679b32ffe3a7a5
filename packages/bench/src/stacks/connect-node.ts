// @connectrpc/connect-node over its gRPC transport and node:http2, used as its documentation shows.
import { once } from "node:events";
import { createServer } from "node:http2";
import {
  type CallOptions,
  type ConnectRouter,
  createClient,
  type Interceptor,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { EchoService } from "@guestwire/testkit/echo";
import { counter, type DressedCase, type EchoCalls, loadOf, OnceThenNothing, payloadOf, type Stack } from "../stack.js";
import { dialUnix } from "./dial-unix.js";

type Payload = { readonly payload: Uint8Array };

const passOn: Interceptor = (next) => (request) => next(request);

// In MB. With the default of 10 a session refuses calls while a few large payloads are on their way.
const maxSessionMemory = 1000;

/** @connectrpc/connect-node. */
export const connectNode: Stack = {
  async serve(socketPath, { full }) {
    const routes = (router: ConnectRouter): ConnectRouter => router.service(EchoService, handlersOf(full));
    const adapter = connectNodeAdapter({ routes, ...(full && { interceptors: [passOn] }) });
    const server = createServer({ maxSessionMemory }, adapter);
    server.listen(socketPath);
    await once(server, "listening");
  },
  async connect(socketPath, bench) {
    const payload = payloadOf(bench);
    return loadOf(bench, async () => {
      const socket = await dialUnix(socketPath);
      const transport = createGrpcTransport({
        baseUrl: "http://localhost",
        nodeOptions: { createConnection: () => socket, maxSessionMemory },
        ...(bench.full && { interceptors: [passOn] }),
      });
      return callsOf(transport, bench, payload);
    });
  },
};

function callsOf(transport: Transport, bench: DressedCase, payload: Buffer): EchoCalls {
  const client = createClient(EchoService, transport);
  const { messages } = bench;
  async function* requests(): AsyncGenerator<Payload> {
    for (let i = 0; i < messages; i++) yield { payload };
  }
  return {
    connection: transport,
    unary: bench.full ? () => client.echo({ payload }, fullOptions()) : () => client.echo({ payload }),
    async serverStream(first) {
      const received = counter(first);
      for await (const _ of client.split({ count: messages, payload })) received.add();
      return received.count;
    },
    async clientStream(first) {
      const { number } = await client.join(requests());
      first();
      return Number(number);
    },
    async bidiStream(first) {
      const received = counter(first);
      for await (const _ of client.chat(requests())) received.add();
      return received.count;
    },
    async idleStream() {
      await client.chat(new OnceThenNothing({ payload }))[Symbol.asyncIterator]().next();
    },
  };
}

function handlersOf(full: boolean): Partial<ServiceImpl<typeof EchoService>> {
  const answer = ({ payload }: Payload): Payload => ({ payload });
  return {
    echo: full ? async (request: Payload) => answer(request) : answer,
    async *split({ count, payload }) {
      for (let i = 0; i < count; i++) yield { payload, number: BigInt(i) };
    },
    async join(requests) {
      let count = 0;
      for await (const _ of requests) count++;
      return { number: BigInt(count) };
    },
    async *chat(requests) {
      for await (const request of requests) yield answer(request);
    },
  };
}

function fullOptions(): CallOptions {
  return { timeoutMs: 10_000, headers: { "x-request-id": "0123456789abcdef", "x-tenant": "bench" } };
}
