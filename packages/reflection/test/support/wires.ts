// The same services over every way that a client can take to them.
import * as grpc from "@guestwire/grpc";
import { type Channel, createInProcessChannel, createRouter, type ServiceRegistry } from "@guestwire/rpc";
import { tempFolder } from "@guestwire/testkit";
import * as ttrpc from "@guestwire/ttrpc";

/** An open channel with the server behind it; disposing it ends both. */
export interface Open extends AsyncDisposable {
  readonly channel: Channel;
  /** The server, or the router that stands for it. */
  readonly registry: ServiceRegistry;
}

/** A way from a client to a server. */
export interface Wire {
  readonly name: string;
  open(register: (registry: ServiceRegistry) => void): Promise<Open>;
}

/** In process, ttrpc and gRPC. */
export const wires: readonly Wire[] = [
  {
    name: "in process",
    async open(register) {
      const registry = createRouter();
      register(registry);
      const channel = createInProcessChannel(registry);
      return { channel, registry, [Symbol.asyncDispose]: () => channel.close() };
    },
  },
  socket("ttrpc", ttrpc),
  socket("gRPC", grpc),
];

type Transport = Pick<typeof ttrpc, "connect" | "serve"> | Pick<typeof grpc, "connect" | "serve">;

function socket(name: string, { connect, serve }: Transport): Wire {
  return {
    name,
    async open(register) {
      const folder = await tempFolder();
      const server = serve();
      register(server);
      const channel = connect(await server.listen(`unix://${folder.file("s.sock")}`));
      return {
        channel,
        registry: server,
        async [Symbol.asyncDispose]() {
          await channel.close();
          await server.close({ graceMs: 0 });
          await folder[Symbol.asyncDispose]();
        },
      };
    },
  };
}
