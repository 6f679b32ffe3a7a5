// Wait and RunInteractive: start a container and follow it to its exit.
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  InteractiveInput,
  InteractiveOutputSchema,
  WaitContainerOutputSchema,
  WaitContainerRequest,
} from "@guestwire/ross";
import { invalid, quoted } from "../../errors.js";
import type { Mailbox } from "../../mailbox.js";
import { untilAborted } from "../../wait.js";
import { firstSizeMs, leaveMs } from "../limits.js";
import type { TerminalSize } from "../terminal/terminal-process.js";
import type { RossContainerStore } from "./container-store.js";
import type { ContainerRun, StartOptions } from "./container-types.js";
import type { Piece } from "./output-hub.js";
import type { ProcessRun } from "./process-run.js";
import type { RossContainer } from "./ross-container.js";

const conditions: readonly string[] = ["", "not-running", "next-exit", "removed"];

/**
 * Starts a created container, gives its output and its exit. A caller who leaves does not end the container.
 *
 * @throws {RpcError} Code.InvalidArgument, Code.NotFound, Code.FailedPrecondition.
 */
export async function* waitContainer(
  store: RossContainerStore,
  { containerId, condition }: WaitContainerRequest,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof WaitContainerOutputSchema>> {
  store.refuseWhenClosed();
  const container = store.get(containerId);
  if (!conditions.includes(condition)) throw invalid("condition", `${quoted(condition)} is none of Docker's`);
  const { current, pieces } = await startFollowed(container, {}, signal);
  yield* follow(current, pieces, signal);
}

/**
 * The same with input, on a terminal where the start or the container says so. A caller who leaves does not end the
 * container; a pipe for its input is closed.
 *
 * @throws {RpcError} Code.InvalidArgument when the first message is no start; Code.NotFound; Code.FailedPrecondition.
 */
export async function* runInteractive(
  store: RossContainerStore,
  requests: AsyncIterable<InteractiveInput>,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof InteractiveOutputSchema>> {
  const inputs = requests[Symbol.asyncIterator]();
  try {
    const first = await inputs.next();
    if (first.done || first.value.input.case !== "start") throw invalid("start", "must be the first message");
    store.refuseWhenClosed();
    const { containerId, tty } = first.value.input.value;
    const container = store.get(containerId);
    const onTerminal = tty || container.record.tty;
    let next = inputs.next();
    next.catch(() => {});
    let size: TerminalSize | undefined;
    if (onTerminal) {
      // So that the program sees the right size from its beginning, where the caller sends it at once.
      const second = await Promise.race([next.catch(() => undefined), sleep(firstSizeMs, undefined, { ref: false })]);
      if (second?.done === false && second.value.input.case === "resize") {
        size = sizeOf(second.value.input.value);
        next = inputs.next();
        next.catch(() => {});
      }
    }
    const options = { tty: onTerminal, stdin: true, size };
    const { current, pieces } = await startFollowed(container, options, signal);
    void feed(current.run, next, inputs, signal);
    yield* follow(current, pieces, signal);
  } finally {
    void inputs.return?.()?.catch(() => {});
  }
}

/** Passes input on until its end. */
async function feed(
  run: ProcessRun,
  first: Promise<IteratorResult<InteractiveInput>>,
  inputs: AsyncIterator<InteractiveInput>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let next = await first; !next.done; next = await inputs.next()) {
      const { input } = next.value;
      if (input.case === "stdin") await run.write(input.value);
      else if (input.case === "resize") run.resize(sizeOf(input.value));
    }
  } catch {
    // As the signal says.
  }
  // The end of the requests may be the first sign of a caller who has gone: HTTP/2 tells of that a moment later.
  if (run.tty) await sleep(leaveMs, undefined, { ref: false });
  // When the caller has gone a terminal may be joined again, while who reads from a pipe would wait for ever.
  if (!signal.aborted || !run.tty) run.endInput();
}

async function startFollowed(
  container: RossContainer,
  options: StartOptions,
  signal: AbortSignal,
): Promise<{ current: ContainerRun; pieces: Mailbox<Piece> }> {
  let pieces: Mailbox<Piece> | undefined;
  const prepared = (run: ProcessRun): void => {
    pieces = run.hub.follow({ stalls: true, signal });
  };
  const current = await container.start({ ...options, fresh: true, prepared });
  return { current, pieces: pieces as Mailbox<Piece> };
}

type Item = { output: { case: "data"; value: Piece } | { case: "exit"; value: { statusCode: bigint } } };

async function* follow({ finished }: ContainerRun, pieces: Mailbox<Piece>, signal: AbortSignal): AsyncGenerator<Item> {
  try {
    for await (const value of pieces) yield { output: { case: "data", value } };
    const { code } = await untilAborted(finished, signal);
    yield { output: { case: "exit", value: { statusCode: BigInt(code) } } };
  } finally {
    await pieces.return();
  }
}

function sizeOf({ width, height }: { width: number; height: number }): TerminalSize {
  return { columns: width, rows: height };
}
