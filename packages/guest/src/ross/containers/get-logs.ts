// GetLogs: the lines of a container, those that were and those that come.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { GetLogsRequest, LogEntrySchema } from "@guestwire/ross";
import { invalid, quoted } from "../../errors.js";
import type { LogEntry, StreamName } from "./log-entry.js";
import { readLog } from "./log-reader.js";
import type { RossContainer } from "./ross-container.js";

/**
 * Reads a container's log.
 *
 * @param signal Ends the reading.
 * @throws {RpcError} Code.InvalidArgument for a bad `tail`; Code.ResourceExhausted when a follower is so slow that lines are
 * gone; Code.Internal when the disk fails.
 */
export async function* getLogs(
  container: RossContainer,
  request: GetLogsRequest,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof LogEntrySchema>> {
  const tail = tailOf(request.tail);
  const streams = wantedStreams(request);
  const since = request.since === undefined ? Number.NEGATIVE_INFINITY : milliseconds(request.since);
  const until = request.until === undefined ? Number.POSITIVE_INFINITY : milliseconds(request.until);
  const wants = ({ stream, at }: LogEntry): boolean => streams.includes(stream) && at >= since && at < until;
  const log = await container.log();
  const entries = readLog(log, {
    wants,
    signal,
    ...(tail !== undefined && { tail }),
    // A follower stays until nothing more can come that it wants.
    ...(request.follow && { follow: () => container.live && container.clock.now() < until }),
  });
  for await (const { at, stream, data } of entries) {
    const line = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
    const message = request.timestamps ? `${new Date(at).toISOString()} ${line}` : line;
    yield { timestamp: timestampFromMs(at), stream, message };
  }
}

/** The streams that a request asks for; all where it names none. */
export function wantedStreams({ stdout, stderr }: { stdout: boolean; stderr: boolean }): StreamName[] {
  if (stdout === stderr) return ["stdout", "stderr"];
  return stdout ? ["stdout"] : ["stderr"];
}

function tailOf(text: string): number | undefined {
  if (text === "" || text === "all") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid("tail", `${quoted(text)} is neither a number of lines nor "all"`);
}

function milliseconds({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}
