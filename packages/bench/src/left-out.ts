// Which stacks a case is not measured with, and why: what would fail, or take minutes for a figure nobody needs.
// Declared here, so that a stack that fails elsewhere is a failure.
import type { BenchCase } from "./cases.js";
import { bareName } from "./features.js";

interface Rule {
  readonly stacks: readonly string[];
  /** `undefined` where it goes without saying. */
  readonly reason: string | undefined;
  fits(bench: BenchCase): boolean;
}

const rules: readonly Rule[] = [
  {
    stacks: ["guestwire-ttrpc+release"],
    reason: undefined,
    fits: ({ bytes, kind, connections }) => bytes < 16 * 1024 || kind === "client-stream" || connections > 1,
  },
  {
    stacks: ["raw"],
    reason: "a bare socket has no streams",
    fits: ({ kind }) => kind === "idle-streams",
  },
  {
    stacks: ["grpcjs-protobufes", "connect-node"],
    reason: "the other sizes and depths show how it stands beside grpcjs-protobufjs",
    fits: ({ name, brief }) => name.startsWith("unary-") && brief,
  },
  {
    stacks: ["connect-node"],
    reason: "ten thousand calls take it several seconds",
    fits: ({ kind, inFlight }) => kind === "unary" && inFlight >= 10_000,
  },
  {
    stacks: ["grpcjs-protobufes"],
    reason: "messages make no difference to connections, nor to what is idle",
    fits: ({ connections, idle }) => connections > 1 || idle > 0,
  },
  {
    stacks: ["http2", "grpcjs-protobufjs", "guestwire-grpc", "connect-node"],
    reason: "ten thousand connections of HTTP/2 take gigabytes or minutes",
    fits: ({ kind, connections, idle }) => connections >= 10_000 || (kind === "idle-connections" && idle >= 10_000),
  },
];

/** The stacks that a case is measured with, of those that are wanted; with what they put on where the case says so. */
export function stacksFor(bench: BenchCase, wanted: readonly string[]): readonly string[] {
  if (bench.stacks !== undefined) return bench.stacks.filter((stack) => wanted.includes(bareName(stack)));
  return wanted.filter((stack) => !rules.some((rule) => rule.stacks.includes(stack) && rule.fits(bench)));
}

/** What was left out of a run: one line for each reason. */
export function leftOutNotes(cases: readonly BenchCase[], wanted: readonly string[]): string[] {
  return rules.flatMap(({ reason, stacks: concerned, fits }) => {
    const names = cases.filter((bench) => bench.stacks === undefined && fits(bench)).map(({ name }) => name);
    const stacks = wanted.filter((stack) => concerned.includes(stack));
    if (reason === undefined || names.length === 0 || stacks.length === 0) return [];
    return [`without ${stacks.join(", ")} (${reason}): ${names.join(", ")}`];
  });
}
