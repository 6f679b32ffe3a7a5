// What a call may have put on beside its payload: which cases and stacks ask for it. Knows no library.
// A stack's name may carry some: "guestwire-ttrpc+deadline+metadata" is guestwire-ttrpc with both on every call.

/** One thing that a call can have put on. */
export type Feature =
  /** A time limit on each call. */
  | "deadline"
  /** Two metadata pairs on each request. */
  | "metadata"
  /** One AbortSignal for all calls, as a program that can be stopped has it. */
  | "signal"
  /** A new AbortSignal for each call. */
  | "fresh-signal"
  /** A handler that returns a promise. */
  | "async"
  /** One interceptor on each side. */
  | "interceptors"
  /** OpenTelemetry on both sides: a span and a duration of each call. */
  | "otel"
  /** Two pairs in the response's header and trailer, and a client that asks for them. */
  | "response-metadata"
  /** A client that finds out whether a silent server is still there. */
  | "keepalive"
  /** A client that gives the memory of each response back, which is of use where messages are large. */
  | "release";

/** Every feature, in the order of the table. */
export const allFeatures: readonly Feature[] = [
  "deadline",
  "metadata",
  "signal",
  "fresh-signal",
  "async",
  "interceptors",
  "otel",
  "response-metadata",
  "keepalive",
  "release",
];

/** What "full" in a case's name stands for. */
export const fullDress: readonly Feature[] = ["deadline", "metadata", "async", "interceptors"];

/** The stacks whose prices are compared: ours bare, with each feature, and with many at once. */
export const dressedStacks: readonly string[] = [
  "guestwire-ttrpc",
  ...allFeatures.filter((feature) => feature !== "release").map((feature) => `guestwire-ttrpc+${feature}`),
  "guestwire-ttrpc+full",
  "guestwire-ttrpc+full+signal+otel",
];

/** The stack without what its name carries. */
export function bareName(stack: string): string {
  return stack.split("+")[0] as string;
}

/**
 * What a stack's name carries.
 *
 * @throws {Error} naming what is no feature.
 */
export function featuresOf(stack: string): readonly Feature[] {
  return stack
    .split("+")
    .slice(1)
    .flatMap((name) => {
      if (name === "full") return fullDress;
      if (allFeatures.includes(name as Feature)) return [name as Feature];
      throw new Error(`${stack}: there is no feature "${name}"; there are: full, ${allFeatures.join(", ")}`);
    });
}
