// The part of a row that is not about calls: memory and the event loops' delay. Measures and prints nothing.
import type { LoopDelay } from "./observe.js";
import { rounded } from "./results.js";
import type { Outcome } from "./run.js";
import type { WatchedEnd } from "./watch.js";

/** What a row has besides, where its case asks for it: flat, with `client` or `server` in front of each name. */
export type ObservedFigures = {
  readonly [K in `${"client" | "server"}${ObservedFigure}`]?: number | null;
};

/** The names of these figures behind `client` or `server`. */
export type ObservedFigure =
  /** How late the turns of the event loop came, in milliseconds; 1 is not late. Programs without one have none. */
  | "LoopDelayP50Millis"
  | "LoopDelayP99Millis"
  | "LoopDelayMaxMillis"
  /** The most memory that the process ever had, and how much more that is than before its first call, in bytes. */
  | "PeakRssBytes"
  | "RssGrowthBytes"
  /** What one idle stream or connection costs, in bytes: of the heap and what hangs on it, and of the process. */
  | "IdleHeapBytes"
  | "IdleRssBytes";

/** What was observed of one stack in one case. */
export function observedFigures({ watched, idle }: Outcome): ObservedFigures {
  const figures: Record<string, number | null> = {};
  for (const end of ["client", "server"] as const) {
    const of: Partial<Record<ObservedFigure, number>> = {
      ...(watched !== undefined && load(watched[end])),
      ...(idle !== undefined && { IdleHeapBytes: idle[end].heap, IdleRssBytes: idle[end].rss }),
    };
    for (const [name, value] of Object.entries(of)) figures[`${end}${name}`] = rounded(value);
  }
  return figures;
}

function load({ loopDelay, peakRss, rssGrowth }: WatchedEnd): Partial<Record<ObservedFigure, number>> {
  return { ...(loopDelay !== undefined && delay(loopDelay)), PeakRssBytes: peakRss, RssGrowthBytes: rssGrowth };
}

function delay({ p50, p99, max }: LoopDelay): Partial<Record<ObservedFigure, number>> {
  return { LoopDelayP50Millis: p50, LoopDelayP99Millis: p99, LoopDelayMaxMillis: max };
}
