// One set of handlers behaves alike everywhere: the shared suite over every way from a client to a server.
import { createInProcessChannel, createRouter } from "@guestwire/rpc";
import { connect, connectInProcess, serve } from "@guestwire/ttrpc";
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

for (const kind of [inProcess, framed, unixSocket]) channelSuite(kind);
