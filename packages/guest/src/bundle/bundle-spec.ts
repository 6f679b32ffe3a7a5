// The runtime spec of the seed's bundle shape: checked, and extended by the mounts that came with it.
import type { Mount } from "@guestwire/types/containerd";
import { invalid } from "../errors.js";

/**
 * The config.json of a bundle.
 *
 * @param spec OCI runtime spec as JSON.
 * @param mounts Appended to the spec's mounts, their target as destination. Without any the spec stays byte for byte.
 * @throws {RpcError} Code.InvalidArgument when the spec is empty or no JSON object, or its mounts no list.
 */
export function bundleConfig(spec: Uint8Array, mounts: readonly Mount[]): Uint8Array {
  const config = parseSpec(spec);
  if (mounts.length === 0) return spec;
  const given = config["mounts"] ?? [];
  if (!Array.isArray(given)) throw invalid("spec", "its mounts are no list");
  const added = mounts.map(({ target, type, source, options }) => {
    // Targets are relative to the container's root; the spec wants absolute paths.
    return { destination: target.startsWith("/") ? target : `/${target}`, type, source, options };
  });
  return Buffer.from(JSON.stringify({ ...config, mounts: [...given, ...added] }, undefined, 2));
}

function parseSpec(spec: Uint8Array): Record<string, unknown> {
  if (spec.length === 0) throw invalid("spec", "must not be empty");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(spec), keepNumber);
  } catch (error) {
    throw invalid("spec", `is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("spec", "is no JSON object");
  return value as Record<string, unknown>;
}

// Newer than the types know; Node has both since version 21.
type Raw = typeof JSON & { rawJSON(text: string): unknown };

/** Keeps numbers as they are written: limits of 2^64-1 would come out as another number. */
function keepNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined || String(value) === context.source) return value;
  return (JSON as Raw).rawJSON(context.source);
}
