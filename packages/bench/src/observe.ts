// What a process says of itself beside its calls: how late its event loop was, and what its memory holds.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";

/** How late the turns of an event loop came, in milliseconds. A loop that has nothing in its way counts 1. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What a process holds, in bytes, with nothing in it that could be collected. */
export interface Memory {
  /** The engine's heap in use and what hangs on it outside of it (buffers). */
  readonly heap: number;
  /** Pages of memory that are its own or that it looks at. */
  readonly rss: number;
}

/** Begins to watch this process's event loop. @returns how to end it. */
export function watchLoop(): () => LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return () => {
    histogram.disable();
    const ms = (nanos: number): number => nanos / 1e6;
    return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
  };
}

/**
 * Collects all garbage and looks at what stays.
 *
 * @throws {Error} where Node was started without `--expose-gc`.
 */
export async function memoryInUse(): Promise<Memory> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("memory can be looked at with --expose-gc only");
  // What one collection lets go may hold, by way of callbacks, what only the next one finds.
  for (let i = 0; i < 3; i++) {
    gc({ type: "major", execution: "sync", flavor: "last-resort" });
    await nextTurn();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}
