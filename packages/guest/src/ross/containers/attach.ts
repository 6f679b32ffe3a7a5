// Attach: joins a container that runs, with what it wrote before where that is asked for. Has no exit code to tell.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AttachOutputSchema, AttachRequest } from "@guestwire/ross";
import { invalid, wrongState } from "../../errors.js";
import { untilAborted } from "../../wait.js";
import type { RossContainerStore } from "./container-store.js";
import { DetachKeys } from "./detach-keys.js";
import { wantedStreams } from "./get-logs.js";
import type { StreamName } from "./log-entry.js";
import { readLog } from "./log-reader.js";
import type { ProcessRun } from "./process-run.js";
import type { RossContainer } from "./ross-container.js";

type Output = MessageInitShape<typeof AttachOutputSchema>;

/**
 * Joins a running container. A caller whose reading is 64 pieces behind is ended with an error and can come again.
 *
 * @throws {RpcError} Code.InvalidArgument when the first message names no container; Code.NotFound;
 * Code.FailedPrecondition when it does not run, or takes no input where that is asked for; Code.ResourceExhausted.
 */
export async function* attachContainer(
  store: RossContainerStore,
  requests: AsyncIterable<AttachRequest>,
  signal: AbortSignal,
): AsyncGenerator<Output> {
  const inputs = requests[Symbol.asyncIterator]();
  const left = new AbortController();
  try {
    const first = await inputs.next();
    if (first.done) throw invalid("container_id", "must not be empty");
    const request = first.value;
    const container = store.get(request.containerId);
    const keys = new DetachKeys(request.detachKeys);
    const { run, finished } = container.current;
    if (request.stdin && !run.takesInput) {
      throw wrongState(container.subject, "it was started without an input; create it with open_stdin or tty");
    }
    const streams = wantedStreams(request);
    const live = run.hub.follow({ streams, stalls: false, signal: AbortSignal.any([signal, left.signal]) });
    try {
      const history = request.logs ? await historyOf(container, streams) : undefined;
      void feed(container, run, request, inputs, keys, () => left.abort());
      if (history !== undefined) yield* history;
      if (request.logs && !request.stream) return;
      // Without `stream` the caller sends input and wants no output.
      for await (const piece of live) if (request.stream) yield piece;
      // So that the state of the container is that of its end, as a caller expects who saw it end.
      if (!left.signal.aborted) await untilAborted(finished, signal);
    } finally {
      await live.return();
    }
  } finally {
    void inputs.return?.()?.catch(() => {});
  }
}

/** What was written up to this moment: lines from the log, then the unfinished ones. */
async function historyOf(container: RossContainer, streams: readonly StreamName[]): Promise<AsyncGenerator<Output>> {
  const log = await container.log();
  const rests = streams.map((stream) => ({ stream, data: log.rest(stream) }));
  const to = log.end;
  return (async function* () {
    for await (const { stream, partial, data } of readLog(log, {
      to,
      wants: (entry) => streams.includes(entry.stream),
    })) {
      yield { stream, data: partial ? data : Buffer.concat([data, Buffer.of(10)]) };
    }
    for (const { stream, data } of rests) if (data.length > 0) yield { stream, data };
  })();
}

async function feed(
  container: RossContainer,
  run: ProcessRun,
  first: AttachRequest,
  inputs: AsyncIterator<AttachRequest>,
  keys: DetachKeys,
  detach: () => void,
): Promise<void> {
  if (!first.stdin) return;
  try {
    for (
      let next: IteratorResult<AttachRequest> = { done: false, value: first };
      !next.done;
      next = await inputs.next()
    ) {
      const { data, detached } = keys.pass(next.value.input);
      if (data.length > 0) await run.write(data);
      if (detached) return detach();
    }
    if (container.stdinOnce) run.endInput();
  } catch {
    if (container.stdinOnce) run.endInput();
  }
}
