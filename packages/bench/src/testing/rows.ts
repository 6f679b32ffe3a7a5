// Rows for tests of what is made of rows.
import type { Row } from "../results.js";
import { median } from "../statistics.js";

/** A row of calls with these calls per second in its rounds, each call as dear as one core would make it. */
export function callRow(name: string, stack: string, perSecond: readonly (number | null)[]): Row {
  const cpuMicros = perSecond.map((value) => (value === null ? null : 1e6 / value));
  const middle = median(perSecond.map(Number));
  return {
    case: name,
    stack,
    perSecond: middle,
    clientCpuMicros: 0.6e6 / middle,
    serverCpuMicros: 0.4e6 / middle,
    p50Micros: 10,
    p99Micros: 20,
    rounds: { perSecond, cpuMicros },
  };
}
