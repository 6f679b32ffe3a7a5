// Measurements and events of a job as streams: what was kept, then live. Knows no job but its logs.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type JobMetricsEventSchema, type TelematicsEvent, TelematicsEventSchema } from "@guestwire/joblet";
import { Code } from "@guestwire/rpc";
import { failure, invalid, quoted } from "../../errors.js";
import type { AppendLog } from "./append-log.js";
import { watchedKinds } from "./watcher.js";

/** A stretch of time and a number; 0 for no bound. */
export interface RecordRange {
  /** Nanoseconds since 1970. */
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly limit: number;
}

/** Everything. */
export const wholeRange: RecordRange = { startTime: 0n, endTime: 0n, limit: 0 };

/** A line of a log: when, in nanoseconds since 1970, and what. */
interface Line {
  readonly at: string;
}

type MetricsLine = Line & {
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimit: number;
  readonly diskReadBytes: number;
  readonly diskWriteBytes: number;
};

type EventLine = Line & { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

// With an end in the future nothing may come any more: then the clock ends the stream.
const lookMs = 250;

/** @throws {RpcError} Code.InvalidArgument for a range that holds nothing. */
export function checkRange({ startTime, endTime, limit }: RecordRange): void {
  if (startTime < 0n) throw invalid("start_time", `${startTime} is negative`);
  if (endTime < 0n) throw invalid("end_time", `${endTime} is negative`);
  if (endTime !== 0n && endTime < startTime) throw invalid("end_time", "is before start_time");
  if (limit < 0) throw invalid("limit", `${limit} is negative`);
}

/**
 * Checks kinds of events.
 *
 * @throws {RpcError} Code.InvalidArgument for one that does not exist; Code.Unavailable when this guest sees none of them.
 */
export function checkKinds(types: readonly string[]): void {
  const kinds = TelematicsEventSchema.oneofs[0]?.fields.map(({ name }) => name) ?? [];
  for (const [index, type] of types.entries()) {
    if (!kinds.includes(type))
      throw invalid(`types[${index}]`, `${quoted(type)} is no kind of event: ${kinds.join(", ")}`);
  }
  if (types.length > 0 && !types.some((type) => watchedKinds.includes(type))) {
    const seen = `this guest sees ${watchedKinds.join(", ")}`;
    throw failure(Code.Unavailable, `events of kind ${types.join(", ")} are not collected; ${seen}`);
  }
}

/** The measurements of a job. */
export async function* metricsStream(
  log: AppendLog,
  jobUuid: string,
  range: RecordRange,
  now: () => number,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof JobMetricsEventSchema>> {
  for await (const line of linesIn<MetricsLine>(log, range, now, signal, () => true)) {
    yield {
      timestamp: BigInt(line.at),
      jobUuid,
      cpuPercent: line.cpuPercent,
      memoryBytes: BigInt(line.memoryBytes),
      memoryLimit: BigInt(line.memoryLimit),
      diskReadBytes: BigInt(line.diskReadBytes),
      diskWriteBytes: BigInt(line.diskWriteBytes),
    };
  }
}

/** The events of a job. @param types Empty for all. */
export async function* eventStream(
  log: AppendLog,
  jobUuid: string,
  types: readonly string[],
  range: RecordRange,
  now: () => number,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof TelematicsEventSchema>> {
  const wanted = ({ type }: EventLine): boolean => types.length === 0 || types.includes(type);
  for await (const line of linesIn(log, range, now, signal, wanted)) {
    const data = { case: line.type, value: line.data } as unknown as TelematicsEvent["data"];
    yield { timestamp: BigInt(line.at), jobUuid, type: line.type, data };
  }
}

async function* linesIn<L extends Line>(
  log: AppendLog,
  { startTime, endTime, limit }: RecordRange,
  now: () => number,
  signal: AbortSignal,
  wanted: (line: L) => boolean,
): AsyncGenerator<L> {
  let count = 0;
  let rest = Buffer.alloc(0);
  for await (const chunk of log.read(endTime === 0n ? { signal } : { signal, idleMs: lookMs })) {
    if (chunk.length === 0 && BigInt(Math.trunc(now())) * 1_000_000n > endTime) return;
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = JSON.parse(rest.toString("utf8", 0, end)) as L;
      rest = rest.subarray(end + 1);
      const at = BigInt(line.at);
      if (endTime !== 0n && at > endTime) return;
      if (at < startTime || !wanted(line)) continue;
      yield line;
      if (++count === limit) return;
    }
  }
}
