// What is measured: one entry per case. Knows no stack and measures nothing itself.

/** Where the two processes run: both on one core, or one core each. */
export type Placement = "same" | "cross";

/** One thing to measure. The name says all of it: call kind, payload, calls in flight, extras, placement. */
export interface BenchCase {
  /** The name in tables and in JSON. */
  readonly name: string;
  readonly kind: "unary" | "server-stream";
  /** The payload of one message, in bytes. */
  readonly bytes: number;
  /** Calls under way at a time, all on one connection. */
  readonly inFlight: number;
  readonly placement: Placement;
  /** Deadline, two metadata pairs, an async handler and one interceptor on each side. */
  readonly full: boolean;
  /** The messages of one stream; 0 for unary cases. */
  readonly messages: number;
}

// ttrpc's frames end at 4 MiB, envelope included, and gRPC's peers refuse messages above it by default.
const almost4MiB = (4 << 20) - 1024;

/** All cases, in the order in which they run. */
export const benchCases: readonly BenchCase[] = [
  unary("unary-64B-1-same", 64, 1, "same"),
  unary("unary-64B-64-same", 64, 64, "same"),
  unary("unary-64B-64-cross", 64, 64, "cross"),
  { ...unary("unary-64B-64-full-cross", 64, 64, "cross"), full: true },
  serverStream("server-stream-64B-cross", 64, 10_000),
  serverStream("server-stream-32KiB-cross", 32 * 1024, 1024),
  unary("unary-4MiB-8-cross", almost4MiB, 8, "cross"),
];

/**
 * Chooses cases by name.
 *
 * @param names Exact names, or patterns in which `*` stands for anything. Empty for all.
 * @throws {Error} naming the entry that fits no case.
 */
export function chooseCases(names: readonly string[]): readonly BenchCase[] {
  if (names.length === 0) return benchCases;
  const chosen = new Set<BenchCase>();
  for (const name of names) {
    const fitting = benchCases.filter((bench) => fits(name, bench.name));
    if (fitting.length === 0) {
      throw new Error(`no case is called "${name}"; there are: ${benchCases.map((bench) => bench.name).join(", ")}`);
    }
    for (const bench of fitting) chosen.add(bench);
  }
  return benchCases.filter((bench) => chosen.has(bench));
}

function fits(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[^\w-]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

function unary(name: string, bytes: number, inFlight: number, placement: Placement): BenchCase {
  return { name, kind: "unary", bytes, inFlight, placement, full: false, messages: 0 };
}

function serverStream(name: string, bytes: number, messages: number): BenchCase {
  return { name, kind: "server-stream", bytes, inFlight: 1, placement: "cross", full: false, messages };
}
