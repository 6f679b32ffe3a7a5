// One set of handlers behaves alike everywhere: the shared suite over every way from a client to a server.
import * as grpc from "@guestwire/grpc";
import { type Channel, createInProcessChannel, createRouter } from "@guestwire/rpc";
import { connect, connectInProcess, serve } from "@guestwire/ttrpc";
import { hybridProxy, unixPorts } from "@guestwire/vsock";
import { createTestCa } from "./certificates.js";
import { channelSuite } from "./channel-suite/channel-suite.js";
import type { ChannelKind } from "./channel-suite/harness.js";
import { tempFolder } from "./temp-folder.js";

const inProcess: ChannelKind = {
  name: "in-process",
  async open(routes, { client, server }) {
    const router = createRouter(server);
    routes(router);
    return { channel: createInProcessChannel(router, client), close: async () => {} };
  },
};

const framed: ChannelKind = {
  name: "in-process with ttrpc frames",
  async open(routes, options) {
    const server = serve(options.server);
    routes(server);
    return { channel: connectInProcess(server, options.client), close: () => server.close({ graceMs: 0 }) };
  },
};

const unixSocket: ChannelKind = {
  name: "ttrpc over a unix socket",
  async open(routes, options) {
    const folder = await tempFolder();
    const server = serve(options.server);
    routes(server);
    const address = await server.listen(`unix://${folder.file("t.sock")}`);
    return {
      channel: connect(address, options.client),
      async close() {
        await server.close({ graceMs: 0 });
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};

const grpcUnixSocket: ChannelKind = {
  name: "gRPC over a unix socket",
  headers: true,
  async open(routes, options) {
    const folder = await tempFolder();
    const server = grpc.serve(options.server);
    routes(server);
    const address = await server.listen(`unix://${folder.file("g.sock")}`);
    return {
      channel: grpc.connect(address, options.client),
      async close() {
        await server.close({ graceMs: 0 });
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};

interface Listening {
  listen(address: string): Promise<string>;
  close(options: { graceMs: number }): Promise<void>;
}

/** What a server and its clients have between them where the server is in a guest. */
async function behindMonitor(server: Listening, open: (address: string) => Channel) {
  const folder = await tempFolder();
  const guest = folder.file("guest.sock");
  await server.listen(`unix://${guest}`);
  const path = folder.file("vm.sock");
  const monitor = await hybridProxy({ path, connect: unixPorts({ 1024: guest }) });
  return {
    channel: open(`hvsock://${path}:1024`),
    async close() {
      await monitor.close();
      await server.close({ graceMs: 0 });
      await folder[Symbol.asyncDispose]();
    },
  };
}

const hybrid: ChannelKind = {
  name: "ttrpc over hybrid vsock",
  async open(routes, options) {
    const server = serve(options.server);
    routes(server);
    return behindMonitor(server, (address) => connect(address, options.client));
  },
};

const grpcHybrid: ChannelKind = {
  name: "gRPC over hybrid vsock",
  headers: true,
  async open(routes, options) {
    const server = grpc.serve(options.server);
    routes(server);
    return behindMonitor(server, (address) => grpc.connect(address, options.client));
  },
};

const grpcTcp: ChannelKind = {
  name: "gRPC over TCP",
  headers: true,
  async open(routes, options) {
    const server = grpc.serve(options.server);
    routes(server);
    const address = await server.listen("tcp://127.0.0.1:0");
    return { channel: grpc.connect(address, options.client), close: () => server.close({ graceMs: 0 }) };
  },
};

const grpcTls: ChannelKind = {
  name: "gRPC over TCP with mTLS",
  headers: true,
  async open(routes, options) {
    const { ca, server: shown, client } = await certificates;
    const server = grpc.serve({ ...options.server, tls: { ...shown, ca } });
    routes(server);
    const address = await server.listen("tcp://127.0.0.1:0");
    return {
      channel: grpc.connect(address, { ...options.client, tls: { ...client, ca } }),
      close: () => server.close({ graceMs: 0 }),
    };
  },
};

const certificates = (async () => {
  const { ca, issue } = await createTestCa();
  const server = await issue({ commonName: "server", names: ["127.0.0.1"] });
  return { ca, server, client: await issue({ commonName: "client", client: true }) };
})();

const sockets = [unixSocket, hybrid, grpcUnixSocket, grpcHybrid, grpcTcp, grpcTls];
for (const kind of [inProcess, framed, ...sockets]) channelSuite(kind);
