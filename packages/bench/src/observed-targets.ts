// The targets of the project's issue on speed that are about memory, event loops and connections.
import type { ObservedFigure } from "./observed.js";
import type { Results } from "./results.js";
import type { Target, Unit } from "./targets.js";

const ours = "guestwire-ttrpc";
const manyCalls = "unary-64B-10000-cross";

/** These targets, in the order. */
export const observedTargets: readonly Target[] = [
  most("unary-4MiB-8-cross", "longest loop delay, the worse end", "LoopDelayMaxMillis", 20, "ms"),
  most(manyCalls, "longest loop delay, the worse end", "LoopDelayMaxMillis", 50, "ms"),
  most(manyCalls, "more memory (RSS), the worse end", "RssGrowthBytes", 100, "MB"),
  ...[1000, 10_000].map(
    (count): Target => ({
      case: `connections-${count}-cross`,
      what: "CPU of a call, one call alone on one core = 100 %",
      limit: "at most",
      wanted: 1,
      unit: "percent",
      measure: ({ figure: of }) =>
        of(`connections-${count}-cross`, ours, "cpuMicros") / of("unary-64B-1-same", ours, "cpuMicros"),
    }),
  ),
  // A stream is all the engine's; of a connection most is the system's and Node's own.
  most("idle-streams-10000", "heap of each, the worse end", "IdleHeapBytes", 2, "KiB"),
  ...["idle-connections-1000", "idle-connections-10000"].map((name) =>
    most(name, "memory (RSS) of each, the worse end", "IdleRssBytes", 12, "KiB"),
  ),
];

const units: Partial<Record<Unit, number>> = { ms: 1, KiB: 1024, MB: 1e6 };

/** The higher figure of both ends has to stay below. */
function most(name: string, what: string, figure: ObservedFigure, wanted: number, unit: Unit): Target {
  const measure = (results: Results): number =>
    Math.max(...["client", "server"].map((end) => results.figure(name, ours, `${end}${figure}`))) / (units[unit] ?? 1);
  return { case: name, what, limit: "at most", wanted, unit, measure };
}
