// An interactive container: its output and exit as any run's, and its input. Keeps the protocol's order: start, size, input.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createPushStream, type MessageStream, type ResponseStream, RpcError } from "@guestwire/rpc";
import type { InteractiveInputSchema, InteractiveOutput } from "./gen/ross/container_pb.js";
import { inputPieceBytes } from "./limits.js";
import { FollowedRun, type RossRun } from "./run.js";

/** The size of a terminal in characters. */
export interface TerminalSize {
  /** Columns, 1 to 65,535. */
  readonly columns: number;
  /** Rows, 1 to 65,535. */
  readonly rows: number;
}

/** The input of a session. */
export interface SessionInput {
  /**
   * Sends bytes or text (as UTF-8). Resolves when more is welcome: awaiting it keeps memory bounded.
   *
   * @throws {RpcError} Code.FailedPrecondition after {@link SessionInput.end}; Code.Canceled when the session is over.
   */
  write(data: Uint8Array | string): Promise<void>;
  /** Ends the input: no more is sent. Does nothing the second time. */
  end(): void;
}

/** An interactive container. On a terminal all output is `stdout`. */
export interface RossSession extends RossRun {
  readonly stdin: SessionInput;
  /**
   * Sets the size of the terminal. The Ross daemon on Linux does nothing with it.
   *
   * @throws {RpcError} Code.InvalidArgument for an impossible size. A session that is over takes it without a word.
   */
  resize(size: TerminalSize): void;
}

/** How to begin a session. */
export interface SessionOptions {
  /** Whether the container gets a terminal. Default true. */
  readonly tty?: boolean;
  /** Size of the terminal to begin with. Default: the daemon's. */
  readonly size?: TerminalSize;
}

type Input = MessageInitShape<typeof InteractiveInputSchema>;
type Open = (inputs: MessageStream<Input>) => ResponseStream<InteractiveOutput>;

const withoutExit =
  "the session ended without an exit, as the Ross daemon ends it when the container is unknown, is not in state created, or cannot be run";

/** @internal Begins a session over an open method. */
export function beginSession(containerId: string, options: SessionOptions, open: Open): RossSession {
  if (containerId === "") throw new RpcError(Code.InvalidArgument, "container_id: must not be empty");
  const { tty = true, size } = options;
  const resize = size === undefined ? undefined : sizeMessage(size);
  const inputs = createPushStream<Input>();
  void inputs.push({ input: { case: "start", value: { containerId, tty } } });
  if (resize !== undefined) void inputs.push(resize);
  return new FollowedSession(open(inputs), inputs);
}

class FollowedSession extends FollowedRun implements RossSession {
  readonly stdin: SessionInput;
  readonly #inputs: ReturnType<typeof createPushStream<Input>>;

  constructor(outputs: ResponseStream<InteractiveOutput>, inputs: ReturnType<typeof createPushStream<Input>>) {
    super(outputs, withoutExit, () => inputs.end());
    this.#inputs = inputs;
    this.stdin = {
      async write(data) {
        const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
        for (let at = 0; at < bytes.length; at += inputPieceBytes) {
          // A copy, as the message is encoded later and the caller may use its buffer again.
          const value = bytes.slice(at, at + inputPieceBytes);
          await inputs.push({ input: { case: "stdin", value } });
        }
      },
      end: () => inputs.end(),
    };
  }

  resize(size: TerminalSize): void {
    void this.#inputs.push(sizeMessage(size));
  }
}

function sizeMessage({ columns, rows }: TerminalSize): Input {
  for (const [name, value] of Object.entries({ columns, rows })) {
    if (!Number.isInteger(value) || value < 1 || value > 0xffff) {
      throw new RpcError(Code.InvalidArgument, `${name}: ${value} is no size of a terminal`);
    }
  }
  return { input: { case: "resize", value: { width: columns, height: rows } } };
}
