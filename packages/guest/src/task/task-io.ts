// What a process's standard streams are joined to, as the requests that made it say. Carries nothing itself.
import type { StreamServer } from "@guestwire/stdio/streams";
import { readStreams, type Streams } from "./task-requests.js";
import { TaskStreams } from "./task-streams.js";

/** The standard streams of one process. */
export interface TaskIo {
  /** As the request has them. */
  readonly names: Streams;
  /** `undefined` where no raw stream is named. */
  readonly streams: TaskStreams | undefined;
}

/**
 * Claims the raw streams that a request names.
 *
 * @throws {RpcError} as {@link readStreams} and `StreamServer.take`; the message names the field where the request is wrong.
 */
export async function claimIo(server: StreamServer, request: Streams): Promise<TaskIo> {
  const { terminal, stdin, stdout, stderr } = request;
  const streams = await TaskStreams.claim(server, readStreams(request));
  return { names: { terminal, stdin, stdout, stderr }, streams };
}
