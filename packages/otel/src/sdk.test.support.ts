// Test support: the real SDK with memory for an exporter, and servers and channels of each transport.
import * as grpc from "@guestwire/grpc";
import {
  type CallDefaults,
  type Channel,
  type Client,
  createClient,
  createInProcessChannel,
  createRouter,
  type Handlers,
  type Interceptor,
  type RpcError,
  type ServiceOptions,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import * as ttrpc from "@guestwire/ttrpc";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { OtelOptions } from "./options.js";
import { otel } from "./otel.js";

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** A histogram as it was collected. */
export interface Measured {
  readonly unit: string;
  readonly points: readonly DataPoint<Histogram>[];
}

/** An SDK that is registered globally until `stop`. */
export interface Sdk {
  /** Ended spans, in the order of their ends. */
  spans(): ReadableSpan[];
  span(kind: number, name?: string): ReadableSpan;
  /** Waits until so many spans have ended: the server's may after the client has its answer. */
  until(count: number): Promise<void>;
  /** All histograms by their names. */
  measured(): Promise<Record<string, Measured>>;
  stop(): void;
}

export function startSdk({ sampler }: { sampler?: Sampler } = {}): Sdk {
  const exporter = new InMemorySpanExporter();
  const tracers = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    ...(sampler !== undefined && { sampler }),
  });
  const reader = new Reader();
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
  return {
    spans,
    span(kind, name) {
      const found = spans().filter((span) => span.kind === kind && (name === undefined || span.name.endsWith(name)));
      if (found.length !== 1) throw new Error(`${found.length} spans of kind ${kind}, ${name ?? "any name"}`);
      return found[0] as ReadableSpan;
    },
    async until(count) {
      while (spans().length < count) await new Promise((resolve) => setImmediate(resolve));
    },
    async measured() {
      const { resourceMetrics } = await reader.collect();
      const all = resourceMetrics.scopeMetrics.flatMap(({ metrics: found }) => found);
      return Object.fromEntries(
        all.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          { unit: descriptor.unit, points: dataPoints as DataPoint<Histogram>[] },
        ]),
      );
    },
    stop() {
      trace.disable();
      metrics.disable();
      context.disable();
      propagation.disable();
    },
  };
}

/** One way to serve and to connect. */
export interface Transport {
  readonly system: string;
  open(
    routes: (registry: ServiceRegistry) => void,
    server: ServiceOptions,
    client: CallDefaults,
  ): Promise<{ channel: Channel; close(): Promise<void> }>;
}

function overUnixSocket(system: string, wire: { serve: typeof ttrpc.serve; connect: typeof ttrpc.connect }): Transport {
  return {
    system,
    async open(routes, options, client) {
      const folder = await tempFolder();
      const server = wire.serve(options);
      routes(server);
      const channel = wire.connect(await server.listen(`unix://${folder.file("o.sock")}`), client);
      return {
        channel,
        async close() {
          await channel.close();
          await server.close({ graceMs: 0 });
          await folder[Symbol.asyncDispose]();
        },
      };
    },
  };
}

export const transports: readonly Transport[] = [
  {
    system: "in-process",
    async open(routes, server, client) {
      const router = createRouter(server);
      routes(router);
      const channel = createInProcessChannel(router, client);
      return { channel, close: () => channel.close() };
    },
  },
  overUnixSocket("ttrpc", ttrpc),
  overUnixSocket("grpc", grpc as never),
];

/** A client of the echo service. */
export type EchoClient = Client<typeof EchoService>;

/** What an echo service is opened with, behind its transport. */
export type OpenArguments = [
  handlers?: Partial<Handlers<typeof EchoService>>,
  options?: OtelOptions,
  inside?: { readonly client?: readonly Interceptor[] },
];

/** An echo service and a client of it, both with otel(). */
export async function openEcho(
  transport: Transport,
  ...[handlers = {}, options = {}, inside = {}]: OpenArguments
): Promise<{ client: EchoClient; close(): Promise<void> }> {
  const telemetry = otel(options);
  const { channel, close } = await transport.open(
    (registry) => registry.service(EchoService, { ...echoHandlers, ...handlers }),
    { interceptors: [telemetry.server] },
    { interceptors: [telemetry.client, ...(inside.client ?? [])] },
  );
  return { client: createClient(EchoService, channel), close };
}

export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

export async function failure(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );
}
