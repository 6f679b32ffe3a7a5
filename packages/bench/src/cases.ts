// What is measured: one entry per case. Knows no stack and measures nothing itself.

/** Where the two processes run: both on one core, or one core each. */
export type Placement = "same" | "cross";

/** Which side streams. */
export type StreamKind = "server-stream" | "client-stream" | "bidi-stream";

/** One thing to measure. The name says all of it: call kind, payload, calls in flight, extras, placement. */
export interface BenchCase {
  /** The name in tables and in JSON. */
  readonly name: string;
  readonly kind: "unary" | StreamKind;
  /** The payload of one message, in bytes. */
  readonly bytes: number;
  /** Calls under way at a time, all on one connection. */
  readonly inFlight: number;
  readonly placement: Placement;
  /** Deadline, two metadata pairs, an async handler and one interceptor on each side. */
  readonly full: boolean;
  /** The messages of one stream; 0 for unary cases. */
  readonly messages: number;
  /** Whether it is one of the few that a short run measures. */
  readonly quick: boolean;
}

// ttrpc's frames end at 4 MiB, envelope included, and gRPC's peers refuse messages above it by default.
const almost4MiB = (4 << 20) - 1024;

/** All cases, in the order in which they run. */
export const benchCases: readonly BenchCase[] = [
  quick(unary("unary-64B-1-same", 64, 1, "same")),
  quick({ ...unary("unary-64B-1-full-same", 64, 1, "same"), full: true }),
  quick(unary("unary-64B-64-same", 64, 64, "same")),
  quick(unary("unary-64B-64-cross", 64, 64, "cross")),
  quick({ ...unary("unary-64B-64-full-cross", 64, 64, "cross"), full: true }),
  quick(stream("server-stream", 64, 10_000)),
  quick(stream("server-stream", 32 * 1024, 1024)),
  quick(unary("unary-4MiB-8-cross", almost4MiB, 8, "cross")),
  unary("unary-64B-1-cross", 64, 1, "cross"),
  unary("unary-0B-64-cross", 0, 64, "cross"),
  unary("unary-1KiB-1-same", 1024, 1, "same"),
  unary("unary-1KiB-64-cross", 1024, 64, "cross"),
  unary("unary-64KiB-8-cross", 64 * 1024, 8, "cross"),
  unary("unary-64B-1000-cross", 64, 1000, "cross"),
  unary("unary-64B-10000-cross", 64, 10_000, "cross"),
  stream("client-stream", 64, 10_000),
  stream("bidi-stream", 64, 10_000),
  // A gibibyte a call.
  { ...stream("server-stream", 32 * 1024, 32 * 1024), name: "server-stream-1GiB-cross" },
];

/**
 * Chooses cases by name.
 *
 * @param names Exact names, or patterns in which `*` stands for anything. At least one.
 * @throws {Error} naming the entry that fits no case.
 */
export function chooseCases(names: readonly string[]): readonly BenchCase[] {
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
  return { name, kind: "unary", bytes, inFlight, placement, full: false, messages: 0, quick: false };
}

function stream(kind: StreamKind, bytes: number, messages: number): BenchCase {
  const name = `${kind}-${bytes < 1024 ? `${bytes}B` : `${bytes / 1024}KiB`}-cross`;
  return { name, kind, bytes, inFlight: 1, placement: "cross", full: false, messages, quick: false };
}

function quick(bench: BenchCase): BenchCase {
  return { ...bench, quick: true };
}
