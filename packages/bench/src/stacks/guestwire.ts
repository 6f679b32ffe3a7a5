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
import { counter, type EchoCalls, loadOf, payloadOf, type Stack } from "../stack.js";

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
      const server = serve(full ? { interceptors: [passOn] } : {}).service(EchoService, full ? fullHandlers : handlers);
      await server.listen(`unix://${socketPath}`);
    },
    async connect(socketPath, bench) {
      const channel = connect(`unix://${socketPath}`, bench.full ? { interceptors: [passOn] } : {});
      const client = createClient(EchoService, channel);
      const payload = payloadOf(bench);
      const { messages } = bench;
      async function* requests(): AsyncGenerator<{ payload: Buffer }> {
        for (let i = 0; i < messages; i++) yield { payload };
      }
      const calls: EchoCalls = {
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
      };
      return loadOf(bench, calls);
    },
  };
}

const handlers: Handlers<typeof EchoService> = {
  ...echoHandlers,
  async join(requests) {
    let count = 0;
    for await (const _ of requests) count++;
    return { number: BigInt(count) };
  },
};

const fullHandlers: Handlers<typeof EchoService> = {
  ...handlers,
  echo: async ({ text, payload, number }) => ({ text, payload, number }),
};

function fullOptions(): CallOptions {
  return {
    timeoutMs: 10_000,
    metadata: new Metadata([
      ["x-request-id", "0123456789abcdef"],
      ["x-tenant", "bench"],
    ]),
  };
}
