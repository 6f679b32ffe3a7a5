// What users may set, with its defaults filled in. No telemetry here.
import type { InterceptedCall, RpcError } from "@guestwire/rpc";
import type { Attributes, MeterProvider, Span, TextMapPropagator, TracerProvider } from "@opentelemetry/api";
import { type Conventions, conventionsOf } from "./conventions.js";
import type { StatusCode } from "./status.js";

/** Which side of a call is looked at. */
export type Side = "client" | "server";

/** How calls are traced and measured. */
export interface OtelOptions {
  /** Where spans go. Default the global provider, also one that is registered later. */
  readonly tracerProvider?: TracerProvider;
  /** Where measurements go. Default the global provider, also one that is registered later. */
  readonly meterProvider?: MeterProvider;
  /** Writes the trace into metadata and reads it from there. Default the global one, also one that is set later. */
  readonly propagator?: TextMapPropagator;
  /** Calls to leave alone, by their paths (`/package.Service/Method`): neither traced nor measured. Default none. */
  readonly ignore?: (path: string) => boolean;
  /** Attributes to add to the span when it begins, so that samplers see them. Default none. */
  readonly attributes?: (call: InterceptedCall, side: Side) => Attributes | undefined;
  /** Told of each recorded span just before it ends; may add to it. Default nobody. */
  readonly onEnd?: (span: Span, call: InterceptedCall, outcome: Outcome) => void;
  /** Request metadata to record on spans as `rpc.request.metadata.<key>`. It may hold secrets. Default none. */
  readonly requestMetadata?: readonly string[];
  /** Whether spans get an event for each message (`rpc.message`). Default false. */
  readonly messageEvents?: boolean;
  /**
   * Whether the sizes of messages and their number in each call are measured. Each message is encoded once more for this,
   * and the conventions have dropped these metrics without putting others in their place. Default false.
   */
  readonly messageMetrics?: boolean;
  /**
   * Whether clients' metrics say where calls go (`server.address`, `server.port`). To be switched off where a program has
   * channels to very many places. Default true.
   */
  readonly metricServerAddress?: boolean;
  /**
   * The wire, where the channel or the server does not say it. Default `guestwire`.
   */
  readonly system?: string;
  /** Whose names to use. Default `new`, or `both` where `OTEL_SEMCONV_STABILITY_OPT_IN` has `rpc/dup`. */
  readonly conventions?: Conventions;
}

/** How a call ended. */
export interface Outcome {
  /** 0 (OK), or the error's code. */
  readonly code: StatusCode;
  /** Why it failed; `undefined` where it did not, and where its reader left a stream early. */
  readonly error: RpcError | undefined;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** {@link OtelOptions} with what was left out. */
export interface Settings extends OtelOptions {
  readonly newNames: boolean;
  readonly oldNames: boolean;
  readonly system: string;
  readonly metadataKeys: readonly string[];
}

/** Fills in defaults. @throws {TypeError} when the conventions are none. */
export function settingsOf(options: OtelOptions): Settings {
  const conventions = options.conventions ?? conventionsOf(process.env["OTEL_SEMCONV_STABILITY_OPT_IN"]);
  if (!["new", "old", "both"].includes(conventions)) {
    throw new TypeError(`otel(): conventions must be "new", "old" or "both", not ${JSON.stringify(conventions)}`);
  }
  return {
    ...options,
    newNames: conventions !== "old",
    oldNames: conventions !== "new",
    system: options.system ?? "guestwire",
    metadataKeys: (options.requestMetadata ?? []).map((key) => key.toLowerCase()),
  };
}
