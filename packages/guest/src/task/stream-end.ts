// One raw stream at a process: output goes in, no faster than the host reads; input comes out, no faster than the process
// reads. Knows the process by its output and input only.
import type { Duplex } from "node:stream";
import type { OutputReader, ProcessOutput } from "../process/process-output.js";

/** What a process's input is, on pipes or on a terminal. */
export interface InputSink {
  write(data: Uint8Array): Promise<number>;
  end(): void;
}

/** The guest's end of one raw stream. */
export class StreamEnd {
  /** Resolves when the stream is closed. */
  readonly closed: Promise<void>;
  readonly #stream: Duplex;
  readonly #outputs = new Set<ProcessOutput>();
  readonly #leave: (() => void)[] = [];
  // Set while the process still wants what comes.
  #input: InputSink | undefined;
  #carriesInput = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    stream.on("drain", () => {
      for (const output of this.#outputs) output.roomMade();
    });
    stream.on("finish", () => this.#closeWhenDone());
    stream.once("close", () => {
      // Nobody reads the output any more, which must not stop the process.
      for (const leave of this.#leave) leave();
      this.#outputs.clear();
      this.#inputEnded();
      resolve();
    });
    if (stream.destroyed) resolve();
  }

  /** Sends an output there. */
  carryOutput(output: ProcessOutput): void {
    const stream = this.#stream;
    this.#outputs.add(output);
    const reader: OutputReader = {
      needsAll: true,
      hasRoom: () => stream.destroyed || !stream.writableNeedDrain,
      chunk: (data) => void stream.write(data),
      end: () => {
        this.#outputs.delete(output);
        if (this.#outputs.size === 0) stream.end();
      },
    };
    this.#leave.push(output.subscribe(reader));
  }

  /** The stream brings input, which waits until it is wanted. */
  expectInput(): void {
    this.#carriesInput = true;
  }

  /** Begins to pass on what comes to the process; where that is not wanted, it is read and dropped. */
  flow(input: InputSink): void {
    const stream = this.#stream;
    if (!this.#carriesInput) {
      stream.resume();
      return;
    }
    this.#input = input;
    const passOn = async (data: Uint8Array): Promise<void> => {
      stream.pause();
      try {
        await this.#input?.write(data);
      } catch {
        // The process closed its input: the host is to learn of it as from a closed pipe.
        this.#inputEnded();
      }
      stream.resume();
    };
    stream.on("data", passOn);
    stream.once("end", () => this.#inputEnded());
    // A socket tells of an end behind which nothing waits although nobody reads.
    if (stream.destroyed || stream.readableEnded) this.#inputEnded();
  }

  /** The process has ended: what still comes is dropped. */
  release(): void {
    this.#inputEnded();
    this.#stream.resume();
  }

  /** Closes the stream now, whatever waits in it. */
  cut(): void {
    this.#stream.destroy();
  }

  #inputEnded(): void {
    this.#carriesInput = false;
    const input = this.#input;
    this.#input = undefined;
    input?.end();
    this.#closeWhenDone();
  }

  /**
   * Closes the stream once it carries nothing more either way. Not half: the end of a half does not reach a host through a
   * hybrid vsock, and the system passes on what was written before.
   */
  #closeWhenDone(): void {
    const stream = this.#stream;
    if (this.#carriesInput || this.#outputs.size > 0) return;
    if (stream.writableFinished || !stream.writableEnded) stream.destroy();
  }
}
