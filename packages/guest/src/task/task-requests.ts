// Checks of task requests: what is malformed, and what a guest without root cannot do.
import type { CreateTaskRequest } from "@guestwire/types/task/v3";
import { invalid, quoted, unsupported } from "../errors.js";

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
 * @throws {RpcError} Code.InvalidArgument for a bad id; Code.Unimplemented for a checkpoint, for mounts, and as
 * {@link checkStreams}.
 */
export function checkCreate(request: CreateTaskRequest): void {
  checkTaskId("id", request.id);
  if (request.checkpoint !== "") throw unsupported("checkpoint: there are no checkpoints");
  if (request.rootfs.length > 0)
    throw unsupported("rootfs: mounts need root; leave it empty to use the bundle's rootfs");
  checkStreams(request);
}

/** What a request says of a process's standard streams. */
export interface Streams {
  readonly terminal: boolean;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Checks that the streams can be carried. @throws {RpcError} Code.Unimplemented for a terminal or an address. */
export function checkStreams(streams: Streams): void {
  if (streams.terminal) throw unsupported("terminal: this guest has no terminals");
  for (const field of ["stdin", "stdout", "stderr"] as const) {
    if (streams[field] !== "") {
      throw unsupported(
        `${field}: ${quoted(streams[field])} cannot be opened; leave it empty and use the StdIO service`,
      );
    }
  }
}
