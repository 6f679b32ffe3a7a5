// Which tracer, instruments and propagator are in force. Looks anew at each call, as an SDK may be registered at any time,
// and says when there is nothing to do at all. Makes no span and no measurement.
import {
  createNoopMeter,
  type MeterProvider,
  metrics,
  propagation,
  type TextMapPropagator,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { schemaUrl, scopeName, scopeVersion } from "./conventions.js";
import { createInstruments, type Instruments } from "./instruments.js";
import type { Settings, Side } from "./options.js";

/** What a call is observed with. */
export interface Telemetry {
  readonly tracer: Tracer;
  /** `undefined` where nobody collects measurements. */
  readonly instruments: Instruments | undefined;
  readonly propagator: Pick<TextMapPropagator, "inject" | "extract">;
}

// Present in all versions of the API so far; where it is missing, somebody is taken to collect.
interface Delegating {
  getDelegate?(): TracerProvider;
  getDelegateTracer?(name: string): Tracer | undefined;
}

/** Looks up what is in force for one side. */
export class TelemetrySource {
  readonly #settings: Settings;
  readonly #side: Side;
  readonly #propagator: TextMapPropagator | typeof propagation;
  #tracerProvider: TracerProvider | undefined;
  #tracer: Tracer | undefined;
  #meterProvider: MeterProvider | undefined;
  #instruments: Instruments | undefined;
  #telemetry: Telemetry | undefined;

  constructor(settings: Settings, side: Side) {
    this.#settings = settings;
    this.#side = side;
    this.#propagator = settings.propagator ?? propagation;
    if (settings.tracerProvider !== undefined) this.#tracer = tracerOf(settings.tracerProvider);
    if (settings.meterProvider !== undefined) this.#measureWith(settings.meterProvider);
  }

  /** What to observe a call with; `undefined` where neither SDK nor propagator is there. */
  inForce(): Telemetry | undefined {
    const { tracerProvider, meterProvider } = this.#settings;
    if (tracerProvider === undefined) this.#lookForTracer();
    if (meterProvider === undefined) this.#lookForMeter();
    const instruments = this.#instruments;
    const tracer = this.#tracer;
    if (tracer === undefined && instruments === undefined && this.#propagator.fields().length === 0) return undefined;
    const known = this.#telemetry;
    if (known !== undefined && known.tracer === tracer && known.instruments === instruments) return known;
    this.#telemetry = {
      // Without an SDK it passes a parent on that came with the call.
      tracer: tracer ?? tracerOf(trace.getTracerProvider()),
      instruments,
      propagator: this.#propagator,
    };
    return this.#telemetry;
  }

  #lookForTracer(): void {
    const registered = trace.getTracerProvider() as TracerProvider & Delegating;
    const provider = registered.getDelegate?.() ?? registered;
    if (provider === this.#tracerProvider) return;
    this.#tracerProvider = provider;
    const nobody = registered.getDelegateTracer !== undefined && !registered.getDelegateTracer(scopeName);
    this.#tracer = nobody ? undefined : tracerOf(provider);
  }

  #lookForMeter(): void {
    const provider = metrics.getMeterProvider();
    if (provider !== this.#meterProvider) this.#measureWith(provider);
  }

  #measureWith(provider: MeterProvider): void {
    this.#meterProvider = provider;
    const meter = provider.getMeter(scopeName, scopeVersion, { schemaUrl });
    this.#instruments = meter === createNoopMeter() ? undefined : createInstruments(meter, this.#side, this.#settings);
  }
}

function tracerOf(provider: TracerProvider): Tracer {
  return provider.getTracer(scopeName, scopeVersion, { schemaUrl });
}
