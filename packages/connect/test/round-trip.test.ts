// The shared suite through what this package makes: a channel behind a transport of Connect, and Connect's interceptors on
// both sides. All of its cases hold.
import type { Interceptor as ConnectInterceptor } from "@connectrpc/connect";
import { connect, serve } from "@guestwire/grpc";
import {
  type Channel,
  type CloseOptions,
  createInProcessChannel,
  createRouter,
  type Interceptor,
} from "@guestwire/rpc";
import { connectInProcess, serve as serveTtrpc } from "@guestwire/ttrpc";
import { channelSuite } from "../../testkit/src/channel-suite/channel-suite.js";
import type { ChannelKind } from "../../testkit/src/channel-suite/harness.js";
import { fromInterceptor, toChannel, toInterceptor, toTransport } from "../src/index.js";

const pass: ConnectInterceptor = (next) => async (request) => {
  const response = await next({ ...request });
  return { ...response };
};
const ours: Interceptor = (next) => async (call) => next({ ...call });

const inProcess: ChannelKind = {
  name: "in-process behind a transport of Connect",
  async open(routes, { client, server }) {
    const router = createRouter(server);
    routes(router);
    const inner = createInProcessChannel(router);
    return { channel: toChannel(toTransport(inner), { ...client, target: inner.target }), close: () => inner.close() };
  },
};

const framed: ChannelKind = {
  name: "ttrpc frames behind a transport of Connect with interceptors of both",
  async open(routes, { client, server: options }) {
    const server = serveTtrpc(options);
    routes(server);
    const inner = connectInProcess(server);
    const transport = toTransport(inner, { interceptors: [pass, toInterceptor(ours)] });
    const outer = toChannel(transport, { ...client, target: inner.target });
    return { channel: closingBoth(outer, inner), close: () => server.close({ graceMs: 0 }) };
  },
};

/** A transport has no end. On ttrpc a server hears that a unary call was given up only when the connection closes. */
function closingBoth(outer: Channel, inner: Channel): Channel {
  const close = async (options?: CloseOptions): Promise<void> => {
    await outer.close(options);
    await inner.close();
  };
  return {
    target: outer.target,
    unary: (method, request, options) => outer.unary(method, request, options),
    stream: (method, request, options) => outer.stream(method, request, options),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

const grpc: ChannelKind = {
  name: "gRPC behind a transport of Connect",
  headers: true,
  async open(routes, { client, server: options }) {
    const server = serve(options);
    routes(server);
    const inner = connect(await server.listen("tcp://127.0.0.1:0"));
    return {
      channel: toChannel(toTransport(inner), { ...client, target: inner.target }),
      async close() {
        await inner.close();
        await server.close({ graceMs: 0 });
      },
    };
  },
};

const intercepted: ChannelKind = {
  name: "in-process with Connect's interceptors on both sides",
  async open(routes, { client, server }) {
    const all = (own: readonly Interceptor[] = []): Interceptor[] => [
      fromInterceptor(pass),
      ...own,
      fromInterceptor(pass),
    ];
    const router = createRouter({ ...server, interceptors: all(server?.interceptors) });
    routes(router);
    const options = { ...client, interceptors: all(client?.interceptors) };
    return { channel: createInProcessChannel(router, options), close: async () => {} };
  },
};

for (const kind of [inProcess, framed, grpc, intercepted]) channelSuite(kind);
