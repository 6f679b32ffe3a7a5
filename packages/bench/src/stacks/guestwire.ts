// Guestwire over any of its wires, used as its README shows: serve(), connect(), createClient(), for await.
import {
  type CallDefaults,
  type Channel,
  createClient,
  type Handlers,
  type Interceptor,
  releaseBytes,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { EchoService, echoHandlers } from "@guestwire/testkit/echo";
import { counter, type DressedCase, type EchoCalls, loadOf, OnceThenNothing, payloadOf, type Stack } from "../stack.js";
import { callOptionsOf } from "./guestwire-options.js";

const passOn: Interceptor = (next) => (call) => next(call);

/** The bounds that a case with many streams or connections has to raise; both wires have them. */
interface Bounds {
  readonly connectionCalls: number;
  readonly serverCalls: number;
  readonly connections: number;
}

/** What a wire of Guestwire has to offer. */
export interface GuestwireWire {
  connect(address: string, options: ConnectOptions): Channel;
  serve(options: ServeOptions): ServiceRegistry & { listen(address: string): Promise<string> };
}

type ConnectOptions = CallDefaults & {
  readonly limits?: Partial<Bounds>;
  readonly keepalive?: { readonly timeMs: number };
  readonly connectTimeoutMs?: number;
};
type ServeOptions = ServiceOptions & { readonly limits?: Partial<Bounds> };

/**
 * Makes a stack of a wire.
 *
 * @param atOnce How many connections may be begun at a time: all of them where the wire itself sees to it that they come about.
 */
export function guestwireStack({ connect, serve }: GuestwireWire, atOnce?: number): Stack {
  return {
    async serve(socketPath, bench) {
      const server = serve({ interceptors: await interceptorsOf(bench, "server"), ...boundsOf(bench) });
      await server.service(EchoService, handlersOf(bench)).listen(`unix://${socketPath}`);
    },
    async connect(socketPath, bench) {
      const options: ConnectOptions = {
        interceptors: await interceptorsOf(bench, "client"),
        ...boundsOf(bench),
        ...(bench.features.has("keepalive") && { keepalive: { timeMs: 10_000 } }),
        // Thousands that connect at once wait for each other, and for the server.
        ...(manyConnections(bench) && { connectTimeoutMs: 60_000 }),
      };
      const payload = payloadOf(bench);
      const open = async (): Promise<EchoCalls> => callsOf(connect(`unix://${socketPath}`, options), bench, payload);
      return loadOf(bench, open, atOnce);
    },
  };
}

function callsOf(channel: Channel, bench: DressedCase, payload: Buffer): EchoCalls {
  const client = createClient(EchoService, channel);
  const { messages } = bench;
  const options = callOptionsOf(bench.features);
  const echo = options === undefined ? () => client.echo({ payload }) : () => client.echo({ payload }, options());
  const releases = bench.features.has("release");
  async function* requests(): AsyncGenerator<{ payload: Buffer }> {
    for (let i = 0; i < messages; i++) yield { payload };
  }
  return {
    connection: channel,
    unary: releases ? async () => releaseBytes((await echo()).payload) : echo,
    async serverStream(first) {
      const received = counter(first);
      for await (const message of client.split({ count: messages, payload })) {
        received.add();
        if (releases) releaseBytes(message.payload);
      }
      return received.count;
    },
    async clientStream(first) {
      const { number } = await client.join(requests());
      first();
      return Number(number);
    },
    async bidiStream(first) {
      const received = counter(first);
      for await (const message of client.chat(requests())) {
        received.add();
        if (releases) releaseBytes(message.payload);
      }
      return received.count;
    },
    async idleStream() {
      await client.chat(new OnceThenNothing({ payload })).next();
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

function handlersOf({ features }: DressedCase): Handlers<typeof EchoService> {
  if (features.has("response-metadata")) {
    return {
      ...handlers,
      echo: ({ text, payload, number }, { responseHeader, responseTrailer }) => {
        responseHeader.set("x-served-by", "bench");
        responseTrailer.set("x-cost", "1");
        return { text, payload, number };
      },
    };
  }
  if (!features.has("async")) return handlers;
  return { ...handlers, echo: async ({ text, payload, number }) => ({ text, payload, number }) };
}

async function interceptorsOf({ features }: DressedCase, side: "client" | "server"): Promise<Interceptor[]> {
  // Loaded by who asks for it only: it is no part of the others' memory.
  const telemetry = features.has("otel") ? [(await import("./telemetry.js")).startTelemetry()[side]] : [];
  return features.has("interceptors") ? [...telemetry, passOn] : telemetry;
}

function manyConnections({ kind, connections }: DressedCase): boolean {
  return kind === "idle-connections" || connections > 1000;
}

/** The defaults hold off what a server in the open should not take, and what these cases are about. */
function boundsOf(bench: DressedCase): { readonly limits?: Partial<Bounds> } {
  if (bench.kind === "idle-streams") return { limits: { connectionCalls: 20_000, serverCalls: 20_000 } };
  return manyConnections(bench) ? { limits: { connections: 20_000, serverCalls: 20_000 } } : {};
}
