// Which trace id a call has: from its metadata, else from the channel. The ids' bytes only; nobody here looks into them.
import { Code, Metadata, type MetadataInit, RpcError, toMetadata } from "@guestwire/rpc";
import { traceMaxBytes } from "./frame.js";

/** The metadata key of a trace id, on both ends. */
export const traceKey: string = "x-trace-id";

/** No trace id. */
export const noTrace: Uint8Array = new Uint8Array(0);

/** Gives the trace id of a call that brings none of its own; an empty text for none. */
export type TraceIds = (path: string) => string;

// W3C's `version-trace-parent-flags`, of which the second part is the trace.
const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * The trace id of a call: the metadata's `x-trace-id`, else the trace of its W3C `traceparent`, else what the channel gives.
 *
 * @throws {RpcError} Code.InvalidArgument when it is longer than the wire can carry, or no text.
 */
export function traceOf(metadata: MetadataInit | undefined, path: string, ids: TraceIds | undefined): Uint8Array {
  const given = metadata === undefined ? undefined : toMetadata(metadata);
  const text = given?.get(traceKey) ?? traceparent.exec(given?.get("traceparent") ?? "")?.[1] ?? ids?.(path) ?? "";
  if (typeof text !== "string") throw new RpcError(Code.InvalidArgument, `traceId gave ${typeof text}, not a text`);
  if (text === "") return noTrace;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > traceMaxBytes) {
    const sizes = `${bytes.length} bytes; the wire carries ${traceMaxBytes}`;
    throw new RpcError(Code.InvalidArgument, `the trace id has ${sizes}`);
  }
  return bytes;
}

/** What a handler sees of a trace id: metadata with `x-trace-id`, or none. Bytes that are no UTF-8 are replaced. */
export function traceMetadata(trace: Uint8Array): Metadata {
  return trace.length === 0 ? new Metadata() : Metadata.received([traceKey, Buffer.from(trace).toString("utf8")]);
}

/** Whether a frame of an answer carries the trace of its request. */
export function sameTrace(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
