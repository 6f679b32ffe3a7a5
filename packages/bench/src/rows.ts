// Makes rows of what was measured. Measures and prints nothing.
import { type ObservedFigures, observedFigures } from "./observed.js";
import type { RunFigures } from "./peer.js";
import { type Row, rounded } from "./results.js";
import type { Outcome } from "./run.js";
import { median } from "./statistics.js";

/** The rows of all stacks that have figures. */
export function rowsOf(outcomes: readonly Outcome[]): (Row & ObservedFigures)[] {
  return outcomes
    .filter(({ rounds }) => rounds.length > 0)
    .map((outcome) => {
      const { bench, stack, rounds } = outcome;
      const of = (name: keyof RunFigures): number => median(rounds.map((round) => round[name]));
      return {
        case: bench.name,
        stack,
        perSecond: rounded(of("perSecond")) ?? 0,
        clientCpuMicros: rounded(of("clientCpuMicros")),
        serverCpuMicros: rounded(of("serverCpuMicros")),
        p50Micros: rounded(of("p50Micros")),
        p99Micros: rounded(of("p99Micros")),
        ...observedFigures(outcome),
        rounds: {
          perSecond: rounds.map(({ perSecond }) => rounded(perSecond)),
          cpuMicros: rounds.map(({ clientCpuMicros, serverCpuMicros }) => rounded(clientCpuMicros + serverCpuMicros)),
        },
      };
    });
}
