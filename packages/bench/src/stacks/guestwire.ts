// Guestwire over any of its wires, used as its README shows: serve(), connect(), createClient(), for await.
import {
  type CallDefaults,
  type CallOptions,
  type Channel,
  createClient,
  type Handlers,
  type Interceptor,
  Metadata,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit/echo";
import { payloadOf, type Stack, streamLoad, unaryLoad } from "../stack.js";

const passOn: Interceptor = (next) => (call) => next(call);

/** What a wire of Guestwire has to offer. */
export interface GuestwireWire {
  connect(address: string, options: CallDefaults): Channel;
  serve(options: ServiceOptions): ServiceRegistry & { listen(address: string): Promise<string> };
}

/** Makes a stack of a wire. */
export function guestwireStack({ connect, serve }: GuestwireWire): Stack {
  return {
    async serve(socketPath, { full }) {
      const handlers: Handlers<typeof EchoService> = full
        ? { ...echoHandlers, echo: async ({ text, payload, number }) => ({ text, payload, number }) }
        : echoHandlers;
      const server = serve(full ? { interceptors: [passOn] } : {}).service(EchoService, handlers);
      await server.listen(`unix://${socketPath}`);
    },
    async connect(socketPath, bench) {
      const channel = connect(`unix://${socketPath}`, bench.full ? { interceptors: [passOn] } : {});
      const client = createClient(EchoService, channel);
      const payload = payloadOf(bench);
      if (bench.kind === "server-stream") {
        const { messages } = bench;
        return streamLoad(messages, async (first) => {
          let received = 0;
          for await (const _ of client.split({ count: messages, payload })) if (received++ === 0) first();
          return received;
        });
      }
      if (!bench.full) return unaryLoad(bench.inFlight, () => client.echo({ payload }));
      return unaryLoad(bench.inFlight, () => client.echo({ payload }, fullOptions()));
    },
  };
}

function fullOptions(): CallOptions {
  return {
    timeoutMs: 10_000,
    metadata: new Metadata([
      ["x-request-id", "0123456789abcdef"],
      ["x-tenant", "bench"],
    ]),
  };
}
