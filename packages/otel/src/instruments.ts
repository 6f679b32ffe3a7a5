// The metrics of one side: which there are, in which unit, under which names. Decides nothing about their attributes.
import type { Histogram, Meter } from "@opentelemetry/api";
import type { Settings, Side } from "./options.js";

/** The metrics that are collected; absent ones were not asked for. */
export interface Instruments {
  /** Seconds; new conventions. */
  readonly duration: Histogram | undefined;
  /** Milliseconds; old conventions. */
  readonly oldDuration: Histogram | undefined;
  /** Bytes of each request, without compression. */
  readonly requestSize: Histogram | undefined;
  /** Bytes of each response, without compression. */
  readonly responseSize: Histogram | undefined;
  /** How many requests a call had. */
  readonly requests: Histogram | undefined;
  /** How many responses a call had. */
  readonly responses: Histogram | undefined;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const bytes = [0, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];
const counts = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000];

/** Makes the metrics of one side. */
export function createInstruments(meter: Meter, side: Side, settings: Settings): Instruments {
  const of = (name: string, unit: string, description: string, boundaries?: number[]): Histogram =>
    meter.createHistogram(`rpc.${side}.${name}`, {
      unit,
      description,
      ...(boundaries !== undefined && { advice: { explicitBucketBoundaries: boundaries } }),
    });
  const calls = side === "client" ? "calls made" : "calls served";
  const more = settings.messageMetrics === true;
  return {
    duration: settings.newNames ? of("call.duration", "s", `How long ${calls} took.`, seconds) : undefined,
    oldDuration: settings.oldNames ? of("duration", "ms", `How long ${calls} took.`) : undefined,
    requestSize: more ? of("request.size", "By", `Size of each request of ${calls}.`, bytes) : undefined,
    responseSize: more ? of("response.size", "By", `Size of each response of ${calls}.`, bytes) : undefined,
    requests: more ? of("requests_per_rpc", "{count}", `Requests in each of the ${calls}.`, counts) : undefined,
    responses: more ? of("responses_per_rpc", "{count}", `Responses in each of the ${calls}.`, counts) : undefined,
  };
}
