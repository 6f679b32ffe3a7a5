// What each call of Guestwire's stacks is given, as the case's features ask for it.
import { type CallOptions, Metadata } from "@guestwire/rpc";
import type { Feature } from "../features.js";

/** Makes the options of each call; `undefined` where calls have none. */
export function callOptionsOf(features: ReadonlySet<Feature>): (() => CallOptions) | undefined {
  // The usual combinations as one literal each, as a user would write them: putting options together costs time of its own.
  const timeoutMs = 10_000;
  const { signal } = new AbortController();
  const has = (...wanted: readonly Feature[]): boolean => wanted.every((feature) => features.has(feature));
  if (has("deadline", "metadata", "signal")) return () => ({ timeoutMs, metadata: twoPairs(), signal });
  if (has("deadline", "metadata")) return () => ({ timeoutMs, metadata: twoPairs() });
  if (has("deadline")) return () => ({ timeoutMs });
  if (has("metadata")) return () => ({ metadata: twoPairs() });
  if (has("signal")) return () => ({ signal });
  if (has("fresh-signal")) return () => ({ signal: new AbortController().signal });
  if (has("response-metadata")) return () => ({ onHeader: ignore, onTrailer: ignore });
  return undefined;
}

function ignore(): void {}

function twoPairs(): Metadata {
  return new Metadata([
    ["x-request-id", "0123456789abcdef"],
    ["x-tenant", "bench"],
  ]);
}
