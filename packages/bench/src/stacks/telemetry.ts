// OpenTelemetry as a program has it that is observed: every call traced and measured. Without an exporter, whose price is
// its own.

import { otel } from "@guestwire/otel";
import type { Interceptor } from "@guestwire/rpc";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { TracerProvider } from "@opentelemetry/sdk-trace";

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** Registers an SDK in this process. */
export function startTelemetry(): { readonly client: Interceptor; readonly server: Interceptor } {
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [] }));
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new Reader()] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return otel();
}
