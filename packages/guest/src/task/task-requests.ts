// Checks of task requests: what is malformed, and what a guest without root cannot do.
import { Code, RpcError } from "@guestwire/rpc";
import { parseStdioUrl, type StdioUrl } from "@guestwire/stdio/streams";
import type { CreateTaskRequest } from "@guestwire/types/task/v3";
import { invalid, quoted, textOf, unsupported } from "../errors.js";
import type { StreamIdsOfProcess } from "./task-streams.js";

/** Checks the id of a container or process. @throws {RpcError} Code.InvalidArgument. */
export function checkTaskId(field: string, id: string): void {
  if (id === "") throw invalid(field, "must not be empty");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names must not hold them.
  if (id === "." || id === ".." || /[/\\\x00-\x1f\x7f]/.test(id))
    throw invalid(field, `${quoted(id)} is no plain name`);
  if (Buffer.byteLength(id) > 255) throw invalid(field, "is longer than 255 bytes");
}

/**
 * Checks a request for a container.
 *
 * @throws {RpcError} Code.InvalidArgument for a bad id; Code.Unimplemented for a checkpoint and for mounts.
 */
export function checkCreate(request: CreateTaskRequest): void {
  checkTaskId("id", request.id);
  if (request.checkpoint !== "") throw unsupported("checkpoint: there are no checkpoints");
  if (request.rootfs.length > 0)
    throw unsupported("rootfs: mounts need root; leave it empty to use the bundle's rootfs");
}

/** What a request says of a process's standard streams. */
export interface Streams {
  readonly terminal: boolean;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Reads what the streams are to be joined to.
 *
 * @throws {RpcError} Code.Unimplemented for anything but `stream://N`; Code.InvalidArgument for a text that is wrong, and for
 * a `stderr` beside a terminal.
 */
export function readStreams(streams: Streams): StreamIdsOfProcess {
  if (streams.terminal && streams.stderr !== "") {
    throw invalid("stderr", "must be empty with a terminal, which merges both outputs");
  }
  const read = (field: keyof StreamIdsOfProcess): number | undefined => readStream(field, streams[field]);
  return { stdin: read("stdin"), stdout: read("stdout"), stderr: read("stderr") };
}

function readStream(field: string, text: string): number | undefined {
  let url: StdioUrl | undefined;
  try {
    url = parseStdioUrl(text);
  } catch (error) {
    if (error instanceof RpcError && error.code === Code.InvalidArgument) throw invalid(field, error.rawMessage);
    throw unsupported(`${field}: ${textOf(error)}`);
  }
  if (url === undefined || url.scheme === "stream") return url?.id;
  throw unsupported(
    `${field}: ${quoted(text)} cannot be opened; name a raw stream (stream://N), or leave it empty and use the StdIO service`,
  );
}
