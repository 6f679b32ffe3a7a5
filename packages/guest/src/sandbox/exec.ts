// Exec: a command with input, which comes as a stream of messages. The first one says what to run.
import type { ExecInput } from "@guestwire/sandbox";
import { invalid } from "../errors.js";
import type { ProcessRun } from "../ross/containers/process-run.js";
import type { TerminalSize } from "../ross/terminal/terminal-process.js";
import { type CommandOutput, runCommand } from "./command.js";
import type { SandboxStore } from "./sandbox-store.js";

/**
 * Runs a command; the end of the requests is the end of its input.
 *
 * @throws {RpcError} Code.InvalidArgument when the first message is not init, or another one is; Code.NotFound; otherwise as
 * {@link runCommand}.
 */
export async function* execCommand(
  sandboxes: SandboxStore,
  requests: AsyncIterable<ExecInput>,
  signal: AbortSignal,
): AsyncGenerator<CommandOutput> {
  const inputs = requests[Symbol.asyncIterator]();
  try {
    const first = await inputs.next();
    if (first.done || first.value.payload.case !== "init") throw invalid("init", "must be the first message");
    const wanted = first.value.payload.value;
    sandboxes.refuseWhenClosed();
    const sandbox = sandboxes.get(wanted.id);
    const size = wanted.ttySize && sizeOf(wanted.ttySize);
    yield* runCommand(sandbox, wanted, signal, { size, feed: (run) => feed(run, inputs) });
  } finally {
    void inputs.return?.()?.catch(() => {});
  }
}

async function feed(run: ProcessRun, inputs: AsyncIterator<ExecInput>): Promise<void> {
  for (;;) {
    // A caller who went away has sent all of its input; that it went, the call's signal says.
    const next = await inputs.next().catch(() => ({ done: true }) as const);
    if (next.done) return run.endInput();
    const { payload } = next.value;
    if (payload.case === "init") throw invalid("init", "must be the first message only");
    if (payload.case === "stdin") await run.write(payload.value);
    else if (payload.case === "resize") run.resize(sizeOf(payload.value));
  }
}

function sizeOf({ width, height }: { width: number; height: number }): TerminalSize {
  return { columns: width, rows: height };
}
