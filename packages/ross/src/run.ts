// A container that was started by a call and is followed to its exit: one stream of messages, read as a whole or stream by
// stream. Pulls; nothing runs in the background unless the exit is waited for.
import { Code, type ResponseStream, RpcError } from "@guestwire/rpc";
import type { InteractiveOutput, OutputData, WaitContainerOutput } from "./gen/ross/container_pb.js";
import { collectedBytes, endMs } from "./limits.js";
import { SplitStream } from "./split-stream.js";

/** How a container ended. */
export interface RossExit {
  /** Exit code of its process; by convention 128 and the signal's number when a signal ended it. */
  readonly code: number;
  /** Why the end could not be observed; then `code` means nothing. `undefined` as a rule. */
  readonly error: string | undefined;
}

/** A piece of output. */
export interface RossOutput {
  /** `stdout` or `stderr`; with a terminal always `stdout`. */
  readonly stream: string;
  readonly data: Uint8Array;
}

/** All output of a container. */
export interface RossCollected {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exit: RossExit;
}

/**
 * A container that is followed. Read it in one of three ways: as a whole with `for await`, by its `stdout` and `stderr`, or
 * not at all by awaiting `exit`. Leaving the whole early, and disposal, end the call, not the container.
 */
export interface RossRun extends AsyncIterable<RossOutput>, AsyncDisposable {
  /** Bytes of one stream. Once asked for, a stream must be read: 256 pieces of it wait, then the other one waits too. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** As {@link RossRun.stdout}. A stream that was never asked for is dropped. */
  readonly stderr: AsyncIterable<Uint8Array>;
  /**
   * How it ended. Where nothing is read in the turn in which it is asked for, all output is read and dropped.
   *
   * @throws {RpcError} why the call failed; Code.Unknown when the daemon ended the stream without an exit.
   */
  readonly exit: Promise<RossExit>;
  /**
   * Reads everything.
   *
   * @param options `maxBytes`: how much, both streams together. Default 16 MiB.
   * @throws {RpcError} as {@link RossRun.exit}; Code.ResourceExhausted beyond `maxBytes`.
   */
  collect(options?: { readonly maxBytes?: number }): Promise<RossCollected>;
}

/** A message that holds output or an exit. */
export type RunMessage = WaitContainerOutput | InteractiveOutput;

type Name = "stdout" | "stderr";

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** @internal Reads the messages of a call. */
export class FollowedRun implements RossRun {
  readonly #source: ResponseStream<RunMessage>;
  readonly #exit = Promise.withResolvers<RossExit>();
  readonly #withoutExit: string;
  readonly #ended: () => void;
  readonly #queues: Partial<Record<Name, SplitStream>> = {};
  #exitAsked = false;
  #whole = false;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #pulling: Promise<OutputData | undefined> | undefined;

  /**
   * @param withoutExit What it means when the stream ends well without an exit.
   * @param ended Called once when the call is over.
   */
  constructor(source: ResponseStream<RunMessage>, withoutExit: string, ended: () => void = () => {}) {
    this.#source = source;
    this.#withoutExit = withoutExit;
    this.#ended = ended;
    // Who never asks for the exit hears of a failure from the output.
    this.#exit.promise.catch(() => {});
  }

  get exit(): Promise<RossExit> {
    if (!this.#exitAsked) {
      this.#exitAsked = true;
      setImmediate(() => this.#drain());
    }
    return this.#exit.promise;
  }

  get stdout(): AsyncIterable<Uint8Array> {
    return this.#split("stdout");
  }

  get stderr(): AsyncIterable<Uint8Array> {
    return this.#split("stderr");
  }

  [Symbol.asyncIterator](): AsyncIterator<RossOutput> {
    if (this.#whole || this.#queues.stdout !== undefined || this.#queues.stderr !== undefined) throw readTwice();
    this.#whole = true;
    return {
      next: async () => {
        const value = await this.#pull();
        return value === undefined ? finished : { done: false, value };
      },
      return: async () => {
        await this.#leave();
        return finished;
      },
    };
  }

  async collect({ maxBytes = collectedBytes }: { readonly maxBytes?: number } = {}): Promise<RossCollected> {
    const parts: Record<Name, Uint8Array[]> = { stdout: [], stderr: [] };
    let size = 0;
    for await (const { stream, data } of this) {
      size += data.length;
      if (size > maxBytes) {
        throw new RpcError(Code.ResourceExhausted, `the container wrote more than ${maxBytes} bytes; raise maxBytes`);
      }
      parts[stream === "stderr" ? "stderr" : "stdout"].push(data);
    }
    const exit = await this.#exit.promise;
    return { stdout: joined(parts.stdout), stderr: joined(parts.stderr), exit };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }

  #split(name: Name): SplitStream {
    if (this.#whole) throw readTwice();
    this.#queues[name] ??= new SplitStream(
      () => this.#pullSplit(),
      () => this.#leftSplit(),
    );
    return this.#queues[name];
  }

  /** Reads one message into the queues. @returns Whether there may be more. */
  async #pullSplit(): Promise<boolean> {
    for (const queue of Object.values(this.#queues)) if (queue.full) await queue.room;
    // Both streams may ask at once; one message serves them both.
    this.#pulling ??= this.#pull().finally(() => {
      this.#pulling = undefined;
    });
    return (await this.#pulling) !== undefined;
  }

  #leftSplit(): void {
    const { stdout, stderr } = this.#queues;
    if (stdout?.left !== false && stderr?.left !== false) {
      if (this.#exitAsked) this.#drain();
      else void this.#leave();
    }
  }

  /** Reads and drops, where nobody reads. */
  #drain(): void {
    const { stdout, stderr } = this.#queues;
    if (this.#whole || stdout?.left === false || stderr?.left === false) return;
    this.#whole = true;
    void (async () => {
      while ((await this.#pull()) !== undefined);
    })().catch(() => {});
  }

  async #pull(): Promise<OutputData | undefined> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#over) return undefined;
        const { done, value } = await this.#source.next();
        // Somebody may have left meanwhile.
        if (done && this.#over) return undefined;
        if (done) throw new RpcError(Code.Unknown, this.#withoutExit);
        const { output } = value;
        if (output.case === "data") {
          this.#queues[output.value.stream === "stderr" ? "stderr" : "stdout"]?.put(output.value.data);
          return output.value;
        }
        if (output.case !== "exit") continue;
        const { statusCode, error } = output.value;
        this.#exit.resolve({ code: Number(statusCode), error: error?.message });
        this.#over = true;
        this.#ended();
        endSoon(this.#source);
        return undefined;
      }
    } catch (error) {
      if (!this.#over) {
        this.#over = true;
        this.#failure = { error };
        this.#exit.reject(error);
        this.#ended();
      }
      throw error;
    }
  }

  async #leave(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#exit.reject(new RpcError(Code.Canceled, "the run was left before its exit", { reason: "canceled" }));
    this.#ended();
    await this.#source.return();
  }
}

/** Lets a call end by itself, which it does at once, so that it does not look canceled to the daemon; but not for ever. */
function endSoon(source: ResponseStream<RunMessage>): void {
  const timer = setTimeout(() => void source.return().catch(() => {}), endMs);
  const end = (): void => {
    clearTimeout(timer);
    void source.return().catch(() => {});
  };
  source.next().then(end, end);
}

function readTwice(): RpcError {
  return new RpcError(Code.FailedPrecondition, "the output is being read already: as a whole, or stream by stream");
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
