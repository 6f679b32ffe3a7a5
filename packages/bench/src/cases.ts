// What is measured: one entry per case. Knows no stack's inside and measures nothing itself.
import { dressedStacks } from "./features.js";

/** Where the two processes run: both on one core, or one core each. */
export type Placement = "same" | "cross";

/** Which side streams. */
export type StreamKind = "server-stream" | "client-stream" | "bidi-stream";

/** What is opened and then left alone, to see what it costs in memory. */
export type IdleKind = "idle-streams" | "idle-connections";

/** One thing to measure. The name says all of it: call kind, payload, calls in flight, extras, placement. */
export interface BenchCase {
  /** The name in tables and in JSON. */
  readonly name: string;
  readonly kind: "unary" | StreamKind | IdleKind;
  /** The payload of one message, in bytes. */
  readonly bytes: number;
  /** Calls under way at a time, over all connections. */
  readonly inFlight: number;
  /** How many connections share the calls. */
  readonly connections: number;
  readonly placement: Placement;
  /** Deadline, two metadata pairs, an async handler and one interceptor on each side. */
  readonly full: boolean;
  /** The messages of one stream; 0 for unary cases. */
  readonly messages: number;
  /** How many streams or connections are opened and left alone; 0 where none are. */
  readonly idle: number;
  /** Whether the event loops' delay and the memory are looked at too, in a round of their own behind the others. */
  readonly watched: boolean;
  /** Whether shorter and fewer rounds will do. */
  readonly brief: boolean;
  /** Whether it is one of the few that a short run measures. */
  readonly quick: boolean;
  /** The stacks it is for, with what they put on (`features.ts`); `undefined` for all as they are. */
  readonly stacks: readonly string[] | undefined;
}

// ttrpc's frames end at 4 MiB, envelope included, and gRPC's peers refuse messages above it by default.
const almost4MiB = (4 << 20) - 1024;
const kib = 1024;

const quick = { quick: true };
const full = { full: true };
const watched = { watched: true };
const brief = { brief: true };

/** All cases, in the order in which they run. */
export const benchCases: readonly BenchCase[] = [
  unary("unary-64B-1-same", 64, 1, quick),
  unary("unary-64B-1-full-same", 64, 1, quick, full),
  unary("unary-64B-64-same", 64, 64),
  unary("unary-64B-64-cross", 64, 64, quick),
  unary("unary-64B-64-full-cross", 64, 64, quick, full),
  stream("server-stream", 64, 10_000, quick),
  stream("server-stream", 32 * kib, 1024, quick),
  unary("unary-4MiB-8-cross", almost4MiB, 8, quick, watched),
  unary("unary-64B-1-cross", 64, 1),
  unary("unary-0B-64-cross", 0, 64),
  unary("unary-1KiB-1-same", kib, 1),
  unary("unary-1KiB-64-cross", kib, 64),
  unary("unary-64KiB-8-cross", 64 * kib, 8),
  unary("unary-64B-1000-cross", 64, 1000, watched),
  unary("unary-64B-10000-cross", 64, 10_000, watched),
  stream("client-stream", 64, 10_000),
  stream("bidi-stream", 64, 10_000),
  // A gibibyte a call.
  { ...stream("server-stream", 32 * kib, 32 * kib), name: "server-stream-1GiB-cross" },
  // The corners of sizes and depths. What would keep more than about 64 MiB under way at a time is not among them.
  unary("unary-0B-1-same", 0, 1, brief),
  unary("unary-64KiB-1-same", 64 * kib, 1, brief),
  unary("unary-4MiB-1-same", almost4MiB, 1, brief),
  unary("unary-64KiB-64-cross", 64 * kib, 64, brief),
  unary("unary-0B-1000-cross", 0, 1000, brief),
  unary("unary-1KiB-1000-cross", kib, 1000, brief),
  unary("unary-64KiB-1000-cross", 64 * kib, 1000, brief),
  unary("unary-0B-10000-cross", 0, 10_000, brief),
  unary("unary-1KiB-10000-cross", kib, 10_000, brief),
  ...[1, 10, 100, 1000, 10_000].map(connections),
  idle("idle-streams", 10_000),
  idle("idle-connections", 1000),
  idle("idle-connections", 10_000),
  // Not brief: with one call at a time it takes seconds until all of the code is compiled.
  unary("features-64B-1-same", 64, 1, { stacks: dressedStacks }),
  unary("features-64B-64-cross", 64, 64, brief, { stacks: dressedStacks }),
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

type Extras = Partial<BenchCase>;

function unary(name: string, bytes: number, inFlight: number, ...extras: readonly Extras[]): BenchCase {
  return {
    name,
    kind: "unary",
    bytes,
    inFlight,
    connections: 1,
    placement: name.endsWith("-same") ? "same" : "cross",
    full: false,
    messages: 0,
    idle: 0,
    watched: false,
    brief: false,
    quick: false,
    stacks: undefined,
    ...Object.assign({}, ...extras),
  };
}

function stream(kind: StreamKind, bytes: number, messages: number, ...extras: readonly Extras[]): BenchCase {
  const size = bytes < kib ? `${bytes}B` : `${bytes / kib}KiB`;
  return { ...unary(`${kind}-${size}-cross`, bytes, 1, ...extras), kind, messages };
}

/** As many connections, each with one call under way. */
function connections(count: number): BenchCase {
  return unary(`connections-${count}-cross`, 64, count, { connections: count }, watched, brief);
}

/** As many streams on one connection, or connections, opened and used once. Nothing runs while memory is looked at. */
function idle(kind: IdleKind, count: number): BenchCase {
  return { ...unary(`${kind}-${count}`, 64, 1, brief), kind, idle: count };
}
